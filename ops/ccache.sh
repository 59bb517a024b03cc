# Sourced before a build: checkouts of one source share what ccache compiled, wherever they are.
# The compiler maps the checkout's path out of the objects, so that this is safe.
CCACHE_BASEDIR=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
export CCACHE_BASEDIR CCACHE_NOHASHDIR=1
