//! Ends WebKit's network process when the last page is gone. WebKit itself keeps it until the app ends, with a third as much
//! memory as the app has; the next page gets a new one.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tauri::{AppHandle, Manager as _};

/// The names of WebKit's processes, as the kernel cuts them.
const WEB: &str = "WebKitWebProces";
const NETWORK: &str = "WebKitNetworkPr";
/// A page's process takes a moment to end, and may have something left to store.
const MOMENT: Duration = Duration::from_secs(1);
/// How many moments it may take; then the next page that goes is waited for.
const MOMENTS: u32 = 10;

/// A page has gone: if it was the last, what served it goes too.
pub(crate) fn follow(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        for _ in 0..MOMENTS {
            tokio::time::sleep(MOMENT).await;
            if !app.webview_windows().is_empty() {
                return;
            }
            if children(WEB).is_empty() {
                // On the thread that makes pages: none is begun between the look and the end.
                let asked = app.run_on_main_thread(|| {
                    if children(WEB).is_empty() {
                        end(NETWORK);
                    }
                });
                // The app is ending, and takes it along.
                return asked.unwrap_or_default();
            }
        }
    });
}

fn end(name: &str) {
    for child in children(name) {
        // It may have ended already.
        let _ = kill_process(child, Signal::TERM);
    }
}

/// The children of this process that have this name. A kernel that does not tell has none.
fn children(name: &str) -> Vec<Pid> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let all = lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<i32>>());
    let named =
        |id: &i32| std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|comm| comm.trim_end() == name);
    all.filter(named).filter_map(Pid::from_raw).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn it_ends_its_own_child_of_that_name_and_no_other() {
        let mut other = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let mut meant = Command::new("sleep").arg("60").spawn().unwrap();
        // It has its name a moment after it was started.
        let begun = std::time::Instant::now();
        while children("sleep").is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(10), "the child never had its name");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(children("sleep").len(), 1);
        assert!(children("slee").is_empty() && children("init").is_empty());
        end("sleep");
        assert_eq!(meant.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
        assert!(other.try_wait().unwrap().is_none(), "the other runs on");
        drop(other.stdin.take());
        assert!(other.wait().unwrap().success());
    }
}
