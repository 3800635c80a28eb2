#!/bin/sh
# Put fringewatch in place as a service, or bring it up to date. Run as root, from a checkout:
#
#   service/install.sh [--python PROGRAM] [--files-only [--root DIR]]
#
# The program gets an environment of its own in /opt/fringewatch-VERSION-TIME, with the exact packages
# of requirements/, and /opt/fringewatch leads to it: the one before stays until you remove it, and is
# back with `ln -sfn`. A configuration that is there is never touched. Nothing is started.
#
# --files-only  leaves out the environment: configuration, unit, user and folders alone.
# --root DIR    the files below DIR, as for an image; no user is made and systemd is not told. The
#               environment knows its own place, so it is made where it will run.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(dirname "$here")
root=
python=
environment=yes

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
        --python) [ $# -ge 2 ] || fail "--python names a program"; python=$2; shift ;;
        --root) [ $# -ge 2 ] || fail "--root names a folder"; root=$2; shift ;;
        --files-only) environment=no ;;
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
        *) fail "unknown option $1; --help lists them" ;;
    esac
    shift
done
[ -z "$root" ] || [ "$environment" = no ] || fail "--root goes with --files-only; --help says why"
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "only root can put a service in place"

# The interpreter: the one that was asked for, else the first that runs and has a list of packages.
choose_python() {
    for candidate in ${python:-python3 python3.13 python3.12 python3.11}; do
        short=$("$candidate" -c 'import sys; print("py%d%d" % sys.version_info[:2])' 2>/dev/null) || continue
        [ -f "$checkout/requirements/$short.txt" ] || continue
        python=$candidate
        packages=$checkout/requirements/$short.txt
        return
    done
    fail "fringewatch needs Python 3.11, 3.12 or 3.13; name it with --python"
}

make_environment() {
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$checkout/pyproject.toml")
    folder=/opt/fringewatch-$version-$(date -u +%Y%m%dT%H%M%SZ)
    echo "installing into $folder"
    "$python" -m venv "$folder" || fail "$python cannot make an environment; install its venv package"
    "$folder/bin/pip" install --quiet --no-deps --require-hashes -r "$packages"
    "$folder/bin/pip" install --quiet --no-deps --no-build-isolation "$checkout"
    "$folder/bin/fringewatch" --version >/dev/null
    install -D -m 644 "$here/OPERATING.md" "$folder/share/OPERATING.md"
    # Whole or not at all: a new link is renamed over the old one.
    ln -sfn "$folder" /opt/.fringewatch-new
    mv -fT /opt/.fringewatch-new /opt/fringewatch
}

place_files() {
    install -D -m 644 "$here/fringewatch.service" "$root/etc/systemd/system/fringewatch.service"
    install -D -m 644 "$here/fringewatch.sysusers" "$root/usr/lib/sysusers.d/fringewatch.conf"
    install -D -m 644 "$here/fringewatch.tmpfiles" "$root/usr/lib/tmpfiles.d/fringewatch.conf"
    if [ -e "$root/etc/fringewatch/fringewatch.toml" ]; then
        echo "the configuration $root/etc/fringewatch/fringewatch.toml is kept as it is"
        install -m 644 "$here/fringewatch.toml" "$root/etc/fringewatch/fringewatch.toml.shipped"
    else
        install -D -m 644 "$here/fringewatch.toml" "$root/etc/fringewatch/fringewatch.toml"
    fi
}

# What systemd must know of folders: never let the watched ones be written, and let the pictures be
# written. A share that is away at the start is waited for by the daemon, so the service does not
# require its mount.
describe_folders() {
    place=$root/etc/systemd/system/fringewatch.service.d
    mkdir -p "$place"
    "$python" - "$root/etc/fringewatch/fringewatch.toml" >"$place/folders.conf.new" <<'END' || fail "the configuration cannot be read"
import os, sys, tomllib

with open(sys.argv[1], "rb") as stream:
    config = tomllib.load(stream)

def tell(key, folder):
    folder = os.path.normpath(os.path.join("/etc/fringewatch", folder))
    quoted = folder.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    print(f'[Service]\n{key}="-{quoted}"')

print("# Written by install.sh from the folders of fringewatch.toml; run it again when they change.")
for table in config.get("watch", []):
    tell("ReadOnlyPaths", table["folder"])
if "folder" in config.get("overlays", {}):
    tell("ReadWritePaths", config["overlays"]["folder"])
END
    mv -f "$place/folders.conf.new" "$place/folders.conf"
}

make_user_and_folders() {
    systemd-sysusers "$root/usr/lib/sysusers.d/fringewatch.conf"
    systemd-tmpfiles --create "$root/usr/lib/tmpfiles.d/fringewatch.conf"
    # A computer that runs without systemd just now, as a container does, has nobody to tell.
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
}

choose_python
[ "$environment" = no ] || make_environment
place_files
describe_folders
[ -n "$root" ] || make_user_and_folders

cat <<END
Done. Next:
  1. name your folders in $root/etc/fringewatch/fringewatch.toml, readable by the user fringewatch,
     and run this again;
  2. /opt/fringewatch/bin/fringewatch check-config /etc/fringewatch/fringewatch.toml
  3. systemctl enable --now fringewatch     (systemctl restart fringewatch after an upgrade)
END
