#!/bin/sh
# Removes from the environment in folder $1 what no program reads at run time: headers and libclang
# (for building TensorFlow ops), other sources of compiled code, type stubs, and packages' own tests.
set -eu
cd "$1"/lib/python3*/site-packages
rm -rf clang libclang-*.dist-info tensorflow/include pyarrow/include
# numpy.testing, which other packages import, imports one module of tests.
find . -type d -name tests ! -path ./numpy/_core/tests -prune -exec rm -rf {} +
find . -path './numpy/_core/tests/*' ! -name '_natype*' ! -name '__init__*' \
  ! -name __pycache__ -prune -exec rm -rf {} +
find . -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.hpp' \
  -o -name '*.c' -o -name '*.cc' -o -name '*.cpp' -o -name '*.a' \) -delete
