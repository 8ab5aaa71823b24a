//! Where the lines of a log go.

use std::io::{self, IsTerminal as _, Write, stderr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use crate::rotation::Rotating;

/// Standard error, or a file that rotates.
#[derive(Debug, Clone)]
pub(crate) enum Sink {
    Stderr,
    File(Arc<Mutex<Rotating>>),
}

impl Sink {
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        Ok(Self::File(Arc::new(Mutex::new(Rotating::open(path)?))))
    }

    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Self::Stderr) && stderr().is_terminal()
    }
}

impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stderr => stderr().write(line),
            // Each line is whole: a panic elsewhere leaves nothing half done.
            Self::File(file) => file.lock().unwrap_or_else(PoisonError::into_inner).write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stderr => stderr().flush(),
            Self::File(file) => file.lock().unwrap_or_else(PoisonError::into_inner).flush(),
        }
    }
}

impl MakeWriter<'_> for Sink {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
