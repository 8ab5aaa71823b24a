//! What a runner says of itself.

use serde::Serialize;

/// The states of exo's runners that a healthy cluster passes through.
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
}
