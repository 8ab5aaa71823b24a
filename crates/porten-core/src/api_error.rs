//! The one shape in which agent and Hub tell an OpenAI client that something went wrong.

use serde::Serialize;

/// An error as an OpenAI client reads it: `{"error":{"message","type","param","code"}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status (4xx or 5xx).
    pub status: u16,
    /// OpenAI's `type`, e.g. `invalid_request_error`.
    pub kind: &'static str,
    /// What a program switches on, e.g. `model_not_found`.
    pub code: &'static str,
    /// One sentence for a person.
    pub message: String,
    /// When to try again (seconds), sent as `Retry-After`.
    pub retry_after: Option<u32>,
}

impl ApiError {
    /// A request that was wrong (400).
    #[must_use]
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", code, message)
    }

    /// Something this side could not do now.
    #[must_use]
    pub fn unavailable(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, "server_error", code, message)
    }

    /// Any error.
    #[must_use]
    pub fn new(status: u16, kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, code, message: message.into(), retry_after: None }
    }

    /// The same, with the time after which another try makes sense (seconds).
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The JSON body.
    #[must_use]
    pub fn body(&self) -> String {
        #[derive(Serialize)]
        struct Body<'a> {
            error: Inner<'a>,
        }
        #[derive(Serialize)]
        struct Inner<'a> {
            message: &'a str,
            r#type: &'a str,
            param: Option<&'a str>,
            code: &'a str,
        }
        let error = Inner { message: &self.message, r#type: self.kind, param: None, code: self.code };
        // A struct of strings always serialises.
        serde_json::to_string(&Body { error }).unwrap_or_default()
    }

    /// The same as one server-sent event, for an answer that has already begun.
    #[must_use]
    pub fn event(&self) -> String {
        format!("data: {}\n\n", self.body())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_what_an_openai_client_reads() {
        let error = ApiError::invalid("model_not_found", "There is no model \"x\".");
        assert_eq!(
            error.body(),
            r#"{"error":{"message":"There is no model \"x\".","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#
        );
        assert!(error.event().ends_with("}}\n\n"));
    }
}
