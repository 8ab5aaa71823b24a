//! Hosts that the system's own settings exempt from its proxy; on a Mac *System Settings, Network, Proxies, Bypass*. The
//! library that reads the proxy leaves them out.

/// The list as `NO_PROXY` would have it: `*.local` is `.local`, `169.254/16` is `169.254.0.0/16`.
#[cfg_attr(
    not(target_os = "macos"),
    allow(dead_code, reason = "only a Mac has such a list; its reading is tested here")
)]
pub(super) fn as_no_proxy(list: impl IntoIterator<Item = String>) -> String {
    list.into_iter().map(|entry| whole(&entry).unwrap_or(entry)).collect::<Vec<_>>().join(",")
}

fn whole(entry: &str) -> Option<String> {
    if let Some(domain) = entry.strip_prefix("*.") {
        return Some(format!(".{domain}"));
    }
    let (start, bits) = entry.split_once('/')?;
    let given = start.split('.').count();
    let is_short = given < 4 && start.split('.').all(|part| part.parse::<u8>().is_ok());
    is_short.then(|| format!("{start}{}/{bits}", ".0".repeat(4 - given)))
}

/// The system's list, while the environment names no proxy of its own.
#[cfg(target_os = "macos")]
#[allow(unsafe_code, reason = "macOS hands out a list of untyped objects")]
pub(super) fn of_system() -> Option<String> {
    use system_configuration::core_foundation::array::CFArray;
    use system_configuration::core_foundation::base::{CFType, TCFType as _};
    use system_configuration::core_foundation::string::CFString;
    use system_configuration::dynamic_store::SCDynamicStoreBuilder;

    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    if names.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
        return None;
    }
    let settings = SCDynamicStoreBuilder::new("porten").build()?.get_proxies()?;
    // The value of kSCPropNetProxiesExceptionsList.
    let list = settings.find(CFString::from_static_string("ExceptionsList"))?.downcast::<CFArray>()?;
    let entries = list.iter().filter_map(|entry| {
        // SAFETY: the items of a property list are Core Foundation objects, and the list, which holds them, lives on.
        let entry = unsafe { CFType::wrap_under_get_rule(*entry) };
        Some(entry.downcast::<CFString>()?.to_string())
    });
    Some(as_no_proxy(entries))
}

/// Elsewhere there is only the environment.
#[cfg(not(target_os = "macos"))]
pub(super) const fn of_system() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_macs_exceptions_read_as_no_proxy() {
        let list = ["*.local", "169.254/16", "10/8", "hub.lan", "192.168.1.0/24", "a.b/c"].map(str::to_owned);
        assert_eq!(as_no_proxy(list), ".local,169.254.0.0/16,10.0.0.0/8,hub.lan,192.168.1.0/24,a.b/c");
    }
}
