//! Opens an address in the person's browser.

/// Opens it, if there is a browser; whoever asks shows the address too.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unused_async, reason = "elsewhere it waits")]
pub(crate) async fn open(url: &str) {
    let _ = open::that_detached(url);
}

/// Opens it with the first of the desktop's ways that works; whoever asks shows the address too.
#[cfg(target_os = "linux")]
pub(crate) async fn open(url: &str) {
    use std::os::unix::process::CommandExt as _;
    use std::process::Stdio;
    use std::time::Duration;

    /// A way that has not failed by then has the address.
    const TAKEN: Duration = Duration::from_secs(1);

    for mut way in open::commands(url) {
        crate::linux::drawing::not_for(&mut way);
        // A signal for the app is none for the browser.
        way.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let Ok(mut browser) = tokio::process::Command::from(way).spawn() else { continue };
        match tokio::time::timeout(TAKEN, browser.wait()).await {
            Ok(Ok(ended)) if !ended.success() => {}
            _ => return,
        }
    }
}
