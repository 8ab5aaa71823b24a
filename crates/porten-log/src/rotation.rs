//! A log in a file that never grows beyond a bound: when a part is full it is put aside, and the oldest is forgotten.
//!
//! Own code: the crates that rotate by size write with the umask's permissions and buffer in a thread, and this is sixty lines.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The size of a part (bytes): with [`PARTS`] of them 10 MiB.
pub const PART: u64 = 2 * 1024 * 1024;
/// How many parts there are, with the one that is written.
pub const PARTS: usize = 5;

/// The log's parts, the newest first: `service.log`, `service.log.1`, … They need not be there.
#[must_use]
pub fn parts(path: &Path) -> Vec<PathBuf> {
    let aside = (1..PARTS).map(|number| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        name.into()
    });
    [path.to_owned()].into_iter().chain(aside).collect()
}

/// The part that is written. Each call of `write` is one line, which goes whole into one part.
#[derive(Debug)]
pub(crate) struct Rotating {
    path: PathBuf,
    file: File,
    written: u64,
    part: u64,
}

impl Rotating {
    /// Goes on with the part that is there. Its owner alone can read it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::open_with(path, PART)
    }

    fn open_with(path: &Path, part: u64) -> io::Result<Self> {
        let file = open(path)?;
        let written = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, written, part })
    }

    fn rotate(&mut self) -> io::Result<()> {
        let parts = parts(&self.path);
        for (newer, older) in parts.iter().zip(parts.iter().skip(1)).rev() {
            match fs::rename(newer, older) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = open(&self.path)?;
        self.written = 0;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    // One that lay there may be open to others.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = line.len() as u64;
        if self.written > 0 && self.written + length > self.part {
            self.rotate()?;
        }
        // No line is longer than a part; what is beyond is left out, as if it had been written.
        let kept = line.get(..usize::try_from(self.part).unwrap_or(usize::MAX)).unwrap_or(line);
        self.file.write_all(kept)?;
        self.written += kept.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_private_and_keeps_the_newest_lines_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("service.log");
        fs::write(&path, "left by the last run\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let mut log = Rotating::open_with(&path, 100).unwrap();
        for number in 0..1000 {
            log.write_all(format!("{number:09}\n").as_bytes()).unwrap();
        }
        let parts = parts(&path);
        let texts: Vec<_> = parts.iter().map(|part| fs::read_to_string(part).unwrap()).collect();
        assert!(texts.iter().all(|text| text.len() <= 100), "{texts:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), PARTS);
        let lines: Vec<u32> =
            texts.iter().rev().flat_map(|text| text.lines()).map(|line| line.parse().unwrap()).collect();
        assert!(lines.is_sorted() && lines.last() == Some(&999) && lines.len() > 40, "{lines:?}");
        for part in parts {
            assert_eq!(fs::metadata(part).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn one_endless_line_is_cut_and_what_comes_after_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("service.log");
        let mut log = Rotating::open_with(&path, 100).unwrap();
        log.write_all(&[b'x'; 5000]).unwrap();
        log.write_all(b"next\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "next\n");
        assert_eq!(fs::metadata(parts(&path).swap_remove(1)).unwrap().len(), 100);
    }
}
