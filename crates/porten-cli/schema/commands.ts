// What each command answers with --json, a line each. tools/json-schema.py makes docs/json.schema.json of it and of the
// types in ui/src/bindings; docs/json.md explains it. A command that fails answers with `Failed` instead.

/**
 * What a command that failed answers; its exit code is not 0.
 */
export type Failed = { error: Failure };

/**
 * Why a command failed.
 */
export type Failure = {
/**
 * What a program switches on.
 */
code: "failed" | "usage" | "settings" | "no_place" | "not_running" | "other_version" | "no_answer" | "stopped" | "stopping" | "unknown_model" | "unknown_mac" | "not_kept" | "credential" | "not_a_command" | "other_hub" | "seat_taken" | "signed_out" | "sign_in_failed" | "model_unusable" | "no_engine" | "undone" | "interrupted" | "service" | "not_installed" | "no_log" | "placement" | "root",
/**
 * One sentence for a person.
 */
message: string,
/**
 * The exit code of the process.
 */
exit: number };

/**
 * `porten` without a command.
 */
export type Look = {
/**
 * Whether an agent runs on this machine.
 */
running: boolean,
/**
 * What it shows, if one does.
 */
status: Snapshot | null,
/**
 * The Hub's address: the running agent's, else what the settings say.
 */
hub: string,
/**
 * `null`: the credential store does not tell.
 */
signed_in: boolean | null,
/**
 * What was found by looking, where no agent runs.
 */
engine: EngineTest | null,
/**
 * What is still to be done.
 */
next: Array<{ command: string, why: string }> };

/**
 * `porten status`; with `--watch` a line whenever it changes.
 */
export type Status = Snapshot & { running: true };

/**
 * `porten status` where no agent runs.
 */
export type StatusFailed = Failed & { running: false };

/**
 * `porten login`, a line each.
 */
export type Login = { event: "prompt", hub: string, verification_uri: string, verification_uri_complete: string | null, user_code: string,
/**
 * How long the code lasts (seconds).
 */
expires_in: number } | { event: "slow_down",
/**
 * How often the Hub is asked from now on (seconds).
 */
interval: number } | { event: "signed_in", account: string | null, hub: string, endpoint: string, kept_in: string, agent: Agent } | { event: "already_signed_in", account: string | null, hub: string, since: string | null };

/**
 * Whether an agent runs that heard of it.
 */
export type Agent = "running" | "not_running";

/**
 * `porten logout`; while requests finish, lines of `Drain` come before.
 */
export type Logout = { event: "signed_out", hub: string,
/**
 * What became of the sign-in at the Hub; `null`: an agent of another version does not say.
 */
revocation: "revoked" | "unreachable" | "not_taken" | "nobody_signed_in" | null };

/**
 * `porten run`: a line whenever the state is another one, and what is said beside it.
 */
export type Run = { event: "state", at: string, state: Overall, text: string } | { event: "told", at: string, text: string };

/**
 * `porten models`.
 */
export type Models = { models: Array<ModelView> };

/**
 * `porten models on|off ID`; with `--wait` a line whenever its state is another one.
 */
export type SetModel = { model: string, wanted: boolean, state: ModelState | null };

/**
 * `porten cluster`.
 */
export type Cluster = { cluster: ClusterView | null, memory: MemoryView, models: Array<ModelView>, notices: Array<Notice> };

/**
 * `porten cluster --from FILE`, a line for each moment.
 */
export type Replayed = Cluster & {
/**
 * Seconds, as the file counts them.
 */
t: number, at: string };

/**
 * `porten cluster limit MAC MB`.
 */
export type Limit = { mac: string, wired_limit_mb: number | null };

/**
 * `porten config`.
 */
export type Config = { file: string, settings: Array<ConfigSetting>, kept: Array<KeptView> };

/**
 * A setting: a number is a number here, a list a list.
 */
export type ConfigSetting = { key: string, value: string | number | boolean | Array<string> | null, origin: Origin };

/**
 * `porten config set` and `unset`.
 */
export type SetConfig = { setting: ConfigSetting | null, agent: "not_running" | "taken" | "not_taken" | "starting_anew",
/**
 * What else in the file is wrong, so that it cannot be used yet.
 */
still_wrong: string | null };

/**
 * `porten engine test`. One that does not answer is a failure too, and has `error` beside.
 */
export type Engine = EngineTest;

/**
 * `porten engine test` where no engine answers.
 */
export type EngineFailed = EngineTest & Failed;

/**
 * `porten pause` and `resume`.
 */
export type SetPause = { pause: Pause | null, agent: Agent, hub: string | null };

/**
 * `porten online` and `offline`.
 */
export type SetOnline = { online: boolean, agent: Agent, hub: string | null };

/**
 * `porten drain`, a line each.
 */
export type Drain = { state: "draining" | "offline" | "left" | "undone" | "not_running", in_flight: number | null,
/**
 * Requests that ended in an error meanwhile, once it is over.
 */
cut_or_failed: number | null };

/**
 * `porten service status`, `start`, `stop`, `restart`, `uninstall` and `install`.
 */
export type Service = { installed: boolean, running: boolean, pid: number | null,
/**
 * Since when it serves; `null` while it does not.
 */
since: string | null,
/**
 * Who serves on this machine, whatever it is.
 */
serving_host: Host | null, serving_pid: number | null, last_exit: string | null, unit: string, log: string,
/**
 * Why the service manager could not be asked.
 */
manager_error: string | null, only_while_logged_in: boolean,
/**
 * Whether the command changed anything; `null` where none is meant to.
 */
changed: boolean | null };

/**
 * `porten service status` while it does not run.
 */
export type ServiceFailed = Service & Failed;

/**
 * `porten service install --dry-run`.
 */
export type ServicePlan = { unit: string,
/**
 * The text of the unit's file.
 */
text: string, unit_changes: boolean, settings_file: string, settings_change: boolean, settings: Array<SettingView>, log: string };

/**
 * `porten service logs`, a line each.
 */
export type ServiceLog = { line: string };
