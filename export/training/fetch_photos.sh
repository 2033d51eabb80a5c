#!/usr/bin/env bash
# Fills a folder with the photos that the committed SRCNN was trained on, out of two Debian packages (65 MB).
# Usage: export/training/fetch_photos.sh FOLDER       (on Debian 12 or Ubuntu, after `apt-get update`; needs no root)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?name the folder to fill}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get download lomiri-wallpapers-16.04 mate-backgrounds)
for package in "$work"/*.deb; do dpkg-deb --extract "$package" "$work/root"; done
mkdir -p "$folder"
# The wallpapers are photographs; of the MATE backgrounds, those under nature/ are.
cp "$work"/root/usr/share/backgrounds/*.jpg "$work"/root/usr/share/backgrounds/mate/nature/*.jpg "$folder"
cp "$here/licences.json" "$folder"
echo "$(find "$folder" -name '*.jpg' | wc -l) photos in $folder"
