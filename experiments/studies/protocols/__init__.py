"""Public evaluation protocols as code: which list is read, which ears judge, which mean is taken."""
