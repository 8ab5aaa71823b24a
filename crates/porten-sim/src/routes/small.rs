//! Two small documents that exo's own app asks for.

use axum::response::Response;
use serde_json::json;

use super::answer;

pub(super) async fn onboarding() -> Response {
    answer::ok(&json!({"completed": true}))
}

pub(super) async fn feature_flags() -> Response {
    answer::ok(&json!({"disaggregation": false}))
}
