//! Reads a log that rotates: its last lines, and those that come.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::rotation::parts;

/// The last lines of all parts together, the oldest first; none where there is no log.
///
/// # Errors
/// A part is there and cannot be read.
pub fn last_lines(path: &Path, count: usize) -> io::Result<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts(path) {
        if lines.len() >= count {
            break;
        }
        let bytes = match fs::read(&part) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&bytes);
        lines.extend(text.lines().rev().take(count - lines.len()).map(str::to_owned));
    }
    lines.reverse();
    Ok(lines)
}

/// What is written into a log from now on, also when the part changes.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    part: Option<File>,
    /// Of a line that is not whole yet.
    rest: Vec<u8>,
}

impl Follower {
    /// Begins behind what is there now.
    ///
    /// # Errors
    /// The log is there and cannot be read.
    pub fn new(path: &Path) -> io::Result<Self> {
        let mut part = open(path)?;
        if let Some(file) = &mut part {
            file.seek(SeekFrom::End(0))?;
        }
        Ok(Self { path: path.to_owned(), part, rest: Vec::new() })
    }

    /// The whole lines that have come since.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn lines(&mut self) -> io::Result<Vec<String>> {
        if let Some(part) = &mut self.part {
            part.read_to_end(&mut self.rest)?;
        }
        if !self.is_current() {
            // The last words in the old part may have come between the two.
            if let Some(part) = &mut self.part {
                part.read_to_end(&mut self.rest)?;
            }
            self.part = open(&self.path)?;
            if let Some(part) = &mut self.part {
                part.read_to_end(&mut self.rest)?;
            }
        }
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        Ok(String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect())
    }

    fn is_current(&self) -> bool {
        let read = self.part.as_ref().and_then(|part| part.metadata().ok());
        let there = fs::metadata(&self.path).ok();
        match (read, there) {
            (Some(read), Some(there)) => (read.dev(), read.ino()) == (there.dev(), there.ino()),
            (None, None) => true,
            _ => false,
        }
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_last_lines_are_read_over_the_parts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("service.log");
        assert!(last_lines(&path, 10).unwrap().is_empty());
        let parts = parts(&path);
        fs::write(&parts[0], "5\n6\n").unwrap();
        fs::write(&parts[1], "3\n4\n").unwrap();
        fs::write(&parts[2], "1\n2\n").unwrap();
        assert_eq!(last_lines(&path, 3).unwrap(), ["4", "5", "6"]);
        assert_eq!(last_lines(&path, 9).unwrap(), ["1", "2", "3", "4", "5", "6"]);
        assert!(last_lines(&path, 0).unwrap().is_empty());
    }

    #[test]
    fn who_follows_sees_each_line_once_and_whole_over_a_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("service.log");
        let mut follower = Follower::new(&path).unwrap();
        assert!(follower.lines().unwrap().is_empty());
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(follower.lines().unwrap(), ["one"]);
        file.write_all(b"o\n").unwrap();
        fs::rename(&path, folder.path().join("service.log.1")).unwrap();
        fs::write(&path, "three\n").unwrap();
        assert_eq!(follower.lines().unwrap(), ["two", "three"]);
        fs::remove_file(&path).unwrap();
        assert!(follower.lines().unwrap().is_empty());
        fs::write(&path, "four\n").unwrap();
        assert_eq!(follower.lines().unwrap(), ["four"]);
    }
}
