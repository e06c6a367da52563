# Runs a command in its environment, after saving that; where gitsnap is gone, the command alone.
#
#     launcher.sh GITSNAP PYTHON FOLDER VARIABLE=PREFIX COMMAND [ARGUMENT...]
gitsnap=$1 python=$2
PATH=$3:$PATH
export PATH "${4?}"
shift 4
[ -x "$gitsnap" ] || gitsnap=$(command -v gitsnap) || exec "$@"
exec "$gitsnap" run --python "$python" -- "$@"
