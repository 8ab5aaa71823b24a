//! Runs a test once more inside something of its own: a network namespace, a session with a keyring, a whole desktop.

use std::io::Write as _;
use std::process::Command;

/// Set in the inner run.
const INNER: &str = "PORTEN_TESTS_INSIDE";
/// Where Linux tells what a machine runs on.
pub const SUPPLIES: &str = "/sys/class/power_supply";

/// Runs this test in a network namespace of its own, where every port is free. True in there; false outside, once the
/// inner run has passed.
///
/// # Panics
/// The inner run failed, or there is no `unshare` and `ip` (packages util-linux and iproute2).
#[must_use]
pub fn network_namespace(test: &str) -> bool {
    // Root may do it as it is; others become root of a user namespace first.
    let user = if is_root() { "" } else { "-r" };
    inside(test, &format!("exec unshare -n {user} sh -c 'ip link set lo up && exec \"$@\"' sh \"$@\""))
}

/// Runs this test with a disk of so many KiB of its own at `$HOME`, which it may fill and make read-only. True in there; false
/// outside, once the inner run has passed.
///
/// # Panics
/// The inner run failed, or there is no `unshare` and `mount` (packages util-linux and mount).
#[must_use]
pub fn small_disk(test: &str, kib: u32) -> bool {
    let user = if is_root() { "" } else { "-r" };
    let script = format!(
        r#"exec unshare -m {user} sh -c 'mount -t tmpfs -o mode=700,size={kib}k none "$HOME" && exec "$@"' sh "$@""#
    );
    inside(test, &script)
}

/// Runs this test in a D-Bus session of its own with an unlocked, empty keyring. True in there; false outside, once
/// the inner run has passed.
///
/// # Panics
/// The inner run failed, or dbus-run-session and gnome-keyring-daemon are missing.
#[must_use]
pub fn desktop_session(test: &str) -> bool {
    inside(
        test,
        r#"exec dbus-run-session -- sh -c 'printf "\n" | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec "$@"' sh "$@""#,
    )
}

/// Runs this test in a D-Bus session of its own with nothing on it. True in there; false outside, once the inner run has passed.
///
/// # Panics
/// The inner run failed, or there is no dbus-run-session (package dbus).
#[must_use]
pub fn bus(test: &str) -> bool {
    inside(test, r#"exec dbus-run-session -- "$@""#)
}

/// The same on a machine whose power supplies are the folders that the test makes in [`SUPPLIES`].
///
/// # Panics
/// The inner run failed, or there is no `unshare`, `mount` and dbus-run-session (packages util-linux, mount and dbus).
#[must_use]
pub fn bus_and_supplies(test: &str) -> bool {
    let user = if is_root() { "" } else { "-r" };
    let script = format!(
        r#"exec unshare -m {user} sh -c 'mount -t tmpfs none {SUPPLIES} && exec dbus-run-session -- "$@"' sh "$@""#
    );
    inside(test, &script)
}

/// The keyring's session with a screen.
///
/// # Panics
/// The inner run failed, or there is no `Xvfb` (packages xvfb and xauth).
#[must_use]
pub fn desktop(test: &str) -> bool {
    inside(
        test,
        r#"exec xvfb-run -a -s '-screen 0 1280x800x24 -nolisten tcp' dbus-run-session -- sh -c 'printf "\n" | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec "$@"' sh "$@""#,
    )
}

/// Runs this test where a service manager of a person's own can be run: with `/run` and a control group of the test's own. True in
/// there; false outside, once the inner run has passed, and at once for who is not root, who gets no control group. All that runs
/// in there ends with the test.
///
/// # Panics
/// The inner run failed, or there is no `unshare` and `mount` (packages util-linux and mount).
#[must_use]
pub fn services(test: &str) -> bool {
    is_root() && inside(test, &format!("exec unshare -m sh -c '{SERVICES}' sh \"$@\""))
}

/// The same in a network namespace of its own, where every port is free.
///
/// # Panics
/// The inner run failed, or there is no `unshare`, `mount` and `ip` (packages util-linux, mount and iproute2).
#[must_use]
pub fn services_and_network(test: &str) -> bool {
    is_root() && inside(test, &format!("exec unshare -m -n sh -c 'ip link set lo up; {SERVICES}' sh \"$@\""))
}

/// The same on a desktop, see [`desktop`].
///
/// # Panics
/// The inner run failed, or there is no `Xvfb` (packages xvfb and xauth).
#[must_use]
pub fn services_and_desktop(test: &str) -> bool {
    let desktop = "xvfb-run -a -s \"-screen 0 1280x800x24 -nolisten tcp\" dbus-run-session --";
    is_root() && inside(test, &format!("exec unshare -m sh -c '{SERVICES}' sh {desktop} \"$@\""))
}

/// What a booted machine has, and a control group whose processes are killed in the end.
const SERVICES: &str = r#"
    mount -t tmpfs -o mode=755 none /run && mkdir -p /run/systemd/system && mount -t cgroup2 none /sys/fs/cgroup || exit 1
    group=/sys/fs/cgroup/porten-test-$$
    mkdir "$group" && echo $$ >"$group/cgroup.procs" || exit 1
    "$@"
    code=$?
    echo $$ >/sys/fs/cgroup/cgroup.procs
    echo 1 >"$group/cgroup.kill"
    for try in 1 2 3 4 5 6 7 8 9 10; do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
        sleep 0.1
    done
    exit $code
"#;

/// Shows this file in the place of another, to all in this mount namespace.
///
/// # Panics
/// There is no `mount`, or no right to.
pub fn put_over(target: &std::path::Path, file: &std::path::Path) {
    let mut mount = Command::new("mount");
    mount.arg("--bind").args([file, target]);
    assert!(mount.status().is_ok_and(|status| status.success()), "{} cannot be put over", target.display());
}

fn inside(test: &str, script: &str) -> bool {
    if std::env::var_os(INNER).is_some_and(|name| name == test) {
        return true;
    }
    let home = tempfile::tempdir().expect("a folder");
    let runtime = home.path().join("run");
    std::fs::create_dir(&runtime).expect("a folder");
    std::fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("a private folder");
    let this = std::env::current_exe().expect("this test program");
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(this)
        .args(["--exact", test, "--include-ignored", "--nocapture", "--test-threads", "1"])
        .env(INNER, test)
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", &runtime)
        .env("XDG_DATA_HOME", home.path().join("data"))
        .output()
        .expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "inside it failed ({}):\n{text}\n{errors}",
        output.status
    );
    // What the inner run measured is worth reading outside too.
    let _ = std::io::stderr().write_all(&output.stderr);
    false
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
