//! This node's stable id and this machine's name.

use std::io;
use std::path::{Path, PathBuf};

use crate::places::replace;

/// The node id cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be used: {source}", path.display())]
pub struct NodeIdError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// This machine's node id, made at the first call and kept from then on: 32 hexadecimal digits.
///
/// # Errors
/// It can be neither read nor written.
pub fn node_id(state: &Path) -> Result<String, NodeIdError> {
    let path = state.join("node-id");
    let fail = |source| NodeIdError { path: path.clone(), source };
    match std::fs::read(&path) {
        Ok(bytes) => {
            if let Some(id) = std::str::from_utf8(&bytes).ok().map(str::trim).filter(|text| is_id(text)) {
                return Ok(id.to_owned());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fail(error)),
    }
    let id = format!("{:032x}", rand::random::<u128>());
    replace(&path, &id).map_err(fail)?;
    Ok(id)
}

/// This machine's node id, if it has one yet; nothing is written.
#[must_use]
pub fn known_id(state: &Path) -> Option<String> {
    let id = std::fs::read_to_string(state.join("node-id")).ok()?;
    Some(id.trim()).filter(|id| is_id(id)).map(str::to_owned)
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A machine's name is shown up to this length (characters); a Hub takes no longer one (docs/protocol.md).
const MAX_NAME: usize = 64;

/// What this machine is called; "this machine" if it has no name.
#[must_use]
pub fn machine_name() -> String {
    presentable(&sysinfo::System::host_name().unwrap_or_default())
}

/// A name in one visible line, as a Hub takes it.
fn presentable(name: &str) -> String {
    let visible: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    let visible = visible.trim();
    if visible.is_empty() { "this machine".to_owned() } else { visible.to_owned() }
}

/// Operating system and architecture, such as `macos aarch64`.
#[must_use]
pub fn platform() -> String {
    format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Memory installed in this machine (MiB), if the system says.
#[must_use]
pub fn installed_mib() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    Some(system.total_memory() / (1024 * 1024)).filter(|mib| *mib > 0)
}

/// What this Mac's GPU may wire (MiB), as `iogpu.wired_limit_mb` says; 0 is macOS's own default. `None` elsewhere.
#[cfg(target_os = "macos")]
#[must_use]
pub fn wired_limit_mib() -> Option<u64> {
    let told = std::process::Command::new("/usr/sbin/sysctl").args(["-n", "iogpu.wired_limit_mb"]).output().ok()?;
    std::str::from_utf8(&told.stdout).ok()?.trim().parse().ok()
}

/// What this Mac's GPU may wire: only macOS has such a limit.
#[cfg(not(target_os = "macos"))]
#[must_use]
pub const fn wired_limit_mib() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault F3: a damaged node id is replaced.
    #[test]
    fn the_node_id_is_made_once_and_a_damaged_one_is_replaced() {
        let state = tempfile::tempdir().unwrap();
        let first = node_id(state.path()).unwrap();
        assert_eq!(node_id(state.path()).unwrap(), first);
        for damage in [&b""[..], b"\xff\xfe", b"../../etc/passwd"] {
            std::fs::write(state.path().join("node-id"), damage).unwrap();
            let second = node_id(state.path()).unwrap();
            assert!(is_id(&second) && second != first);
        }
    }

    #[test]
    fn a_name_is_one_visible_line_that_a_hub_takes() {
        assert_eq!(presentable(" Anna’s Mac Studio\n"), "Anna’s Mac Studio");
        assert_eq!(presentable("\u{7}\n "), "this machine");
        assert_eq!(presentable(&"ü".repeat(200)).chars().count(), 64);
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(installed_mib().is_some_and(|mib| mib > 256));
    }
}
