//! Reading a file as text: never more than a bound, never without end. Whatever a configuration names is read here.

use rustix::fs::OFlags;
use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{Error, Read, Result};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Room that is taken at once on the word of the file system.
const TRUSTED: u64 = 16 << 20;

/// The text of a regular file of at most `limit` bytes.
///
/// # Errors
/// It cannot be opened or read, is no regular file, is longer, or is not UTF-8.
pub(super) fn read(path: &Path, limit: u64) -> Result<String> {
    // Looked at before it is opened: to open a device may do something, and to open a pipe waits for a writer.
    regular(&std::fs::metadata(path)?)?;
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    // What stands there may have been exchanged between the two looks.
    let data = file.metadata()?;
    regular(&data)?;
    text(&file, data.len(), limit)
}

fn text(file: &File, length: u64, limit: u64) -> Result<String> {
    let too_long = |found: &str| {
        let message = format!("it has {found} bytes; at most {limit} are read");
        Err(Error::other(message))
    };
    if length > limit {
        return too_long(&length.to_string());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(TRUSTED)).unwrap_or_default());
    // A file that grows meanwhile, or one of /proc, is longer than it says.
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > limit {
        return too_long("more");
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::other(format!("it is not UTF-8 text: byte {} is the first that is not", at.saturating_add(1)))
    })
}

fn regular(data: &Metadata) -> Result<()> {
    if data.is_file() {
        return Ok(());
    }
    let kind = kind(data.file_type());
    Err(Error::other(format!("it is {kind}, and only regular files are read")))
}

fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode};

    fn said(path: &Path, limit: u64) -> String {
        match read(path, limit) {
            Ok(text) => text,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_regular_files_are_read_and_none_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).expect("a pipe");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).expect("a link");
        for (path, kind) in [
            (pipe.as_path(), "a pipe"),
            (&link, "a pipe"),
            (folder.path(), "a folder"),
            (Path::new("/dev/zero"), "a device"),
        ] {
            assert_eq!(said(path, 10), format!("it is {kind}, and only regular files are read"));
        }
    }

    #[test]
    fn no_more_than_the_bound_is_read_whatever_the_length_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "12345").expect("written");
        assert_eq!(said(&path, 5), "12345");
        assert_eq!(said(&path, 4), "it has 5 bytes; at most 4 are read");
        // It says that it has no byte at all.
        assert_eq!(said(Path::new("/proc/self/status"), 9), "it has more bytes; at most 9 are read");
        std::fs::write(&path, b"ab\xff").expect("written");
        assert_eq!(said(&path, 9), "it is not UTF-8 text: byte 3 is the first that is not");
    }
}
