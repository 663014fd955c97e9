"""A real file system in a file, whose power can be cut."""

from __future__ import annotations

import array
import fcntl
import os
import subprocess
from pathlib import Path

_SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN
_WITHOUT_FLUSH = 2


class Disk:
    """An ext4 file system in a file; needs root.

    Args:
        image: The file; it is made.
        place: Folder that it is mounted at; it is made.
        size: Bytes.
    """

    def __init__(self, image: Path, place: Path, size: int = 64 << 20) -> None:
        self.place = place
        self._image = image
        place.mkdir()
        with image.open("wb") as file:
            file.truncate(size)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True, capture_output=True)

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", self._image, self.place], check=True, capture_output=True)

    def unmount(self) -> None:
        subprocess.run(["umount", self.place], check=True, capture_output=True)

    def remount(self, how: str) -> None:
        """Mounts it anew as `ro` or `rw`, beneath those who have files open."""
        subprocess.run(["mount", "-o", f"remount,{how}", self.place], check=True, capture_output=True)

    def cut_power(self) -> None:
        """From here on nothing reaches the disk, not even what the journal holds."""
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, array.array("I", [_WITHOUT_FLUSH]))
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Lets go of it, whoever still has files open."""
        subprocess.run(["umount", "-l", self.place], check=False, capture_output=True)
