//! What a runner says of itself.

use serde::Serialize;

/// What exo's worker reports of a runner whose process ended while it loaded. In the form of exo's source; not recorded.
const FAILURE: &str = "Terminated (exitcode=1\nRunner error: Traceback (most recent call last):\n  File \
                       \"/Applications/EXO.app/Contents/Resources/exo/exo/worker/runner/runner.py\", line 214, in \
                       main\nRuntimeError: [metal::malloc] Attempting to allocate more memory than there is)";

/// The states of exo's runners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all_fields = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "exo's tags")]
pub(crate) enum RunnerStatus {
    RunnerIdle {},
    RunnerConnecting {},
    RunnerConnected {},
    RunnerLoading { layers_loaded: u32, total_layers: u32 },
    RunnerLoaded {},
    RunnerWarmingUp {},
    RunnerReady { prefill_server_port: Option<u16> },
    RunnerRunning {},
    RunnerShuttingDown {},
    RunnerFailed { error_message: &'static str, diagnostics: [(); 0] },
}

impl RunnerStatus {
    /// One whose load failed.
    pub(crate) const fn failed() -> Self {
        Self::RunnerFailed { error_message: FAILURE, diagnostics: [] }
    }
}
