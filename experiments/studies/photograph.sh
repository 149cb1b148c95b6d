#!/usr/bin/env bash
# photograph.sh PAGE.html [FIGURE.svg]...: pictures beside them, by a headless Chromium: the page at the widths of a desk
# and of a phone, on light and dark ground; each figure on white. CHROMIUM names another browser of that family.
set -euo pipefail
browser=${CHROMIUM:-chromium}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# shoot FILE PICTURE WIDTH HEIGHT SCHEME (0 dark, 1 light)
shoot() {
    "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --allow-file-access-from-files \
        --user-data-dir="$scratch/profile" --blink-settings=preferredColorScheme="$5" \
        --window-size="$3,$4" --virtual-time-budget=5000 --screenshot="$2" "file://$1" 2>/dev/null
    echo "$2"
}

page=$(realpath "$1"); shift
for scheme in dark light; do
    number=$([ $scheme = light ] && echo 1 || echo 0)
    shoot "$page" "${page%.html}-desk-$scheme.png" 1280 12000 "$number"
    # no window is as narrow as a phone, a frame in it is
    for part in top tables; do
        echo "<body style='margin:0'><iframe src='file://$page#$part' width=390 height=9990 frameborder=0>" \
            >"$scratch/phone.html"
        shoot "$scratch/phone.html" "${page%.html}-phone-$part-$scheme.png" 600 10000 "$number"
    done
done
for figure; do
    echo "<body style='margin:0;background:white'><img width=880 src='file://$(realpath "$figure")'>" >"$scratch/figure.html"
    shoot "$scratch/figure.html" "${figure%.svg}-svg.png" 900 760 1
done
