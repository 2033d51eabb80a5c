#!/usr/bin/env bash
# Fills a folder with the photos that the committed networks were trained on.
# Usage: export/training/fetch_photos.sh FOLDER [--kodak]
# 27 come out of two Debian packages (65 MB; on Debian 12 or Ubuntu, after `apt-get update`; needs no root). With --kodak
# the 24 of Kodak's Photo CD come along, which upscaler-large-real was trained on as well (15 MB; needs git).
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
if [ "${2:-}" = --kodak ]; then
    git clone --quiet --depth 1 https://github.com/MohamedBakrAli/Kodak-Lossless-True-Color-Image-Suite "$work/kodak"
    for photo in "$work"/kodak/PhotoCD_PCD0992/*.png; do cp "$photo" "$folder/kodim$(basename "$photo")"; done
fi
cp "$here/licences.json" "$folder"
echo "$(find "$folder" -name '*.jpg' -o -name 'kodim*.png' | wc -l) photos in $folder"
