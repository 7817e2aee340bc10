//! What a store's errors mean, and what to do about them.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::objects::ObjectError;

/// An error with all that caused it, in its own words and without the client's inner life.
pub(super) fn causes(e: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(e), |e| e.source());
    let mut said: Vec<String> = chain.map(ToString::to_string).collect();
    said.dedup();
    said.join(": ")
}

/// Words of S3 for what passes by itself. What arrived other than it was sent may arrive well the next time.
const PASSING: [&str; 9] = [
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "OperationAborted",
    "ThrottlingException",
    "BadDigest",
    "XAmzContentSHA256Mismatch",
    "IncompleteBody",
];

/// What somebody has to do so that a store takes requests again.
fn remedy(code: &str, status: Option<u16>) -> Option<&'static str> {
    let full = ["StorageFull", "QuotaExceeded", "InsufficientStorage"];
    if status == Some(507) || full.iter().any(|word| code.contains(word)) {
        return Some("It is full: make room in it or raise its quota, or name another target in the configuration.");
    }
    match code {
        "NoSuchBucket" => Some("The bucket is gone or its name is wrong: bring it back, or correct the target."),
        "RequestTimeTooSkewed" => Some("Set the clock of this machine right."),
        "AccessDenied"
        | "AllAccessDisabled"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "InvalidToken" => Some(CREDENTIALS),
        _ if matches!(status, Some(401 | 403)) => Some(CREDENTIALS),
        _ => None,
    }
}

const CREDENTIALS: &str =
    "The target's credentials must be valid and allowed to read, write, list and delete in its bucket.";

/// What went wrong, as a sentence.
pub(super) fn of<E>(e: &SdkError<E>, target: String, operation: &str, key: String) -> ObjectError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let status = e.raw_response().map(|r| r.status().as_u16());
    let code = e.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
    if matches!(code, "NoSuchKey" | "NoSuchUpload" | "NotFound") || (status == Some(404) && code.is_empty()) {
        return ObjectError::NotFound { target, key };
    }
    let said = e.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default();
    let cause = match (code, said) {
        ("", "") => causes(e),
        (code, "") => code.to_owned(),
        (code, said) => format!("{said} ({code})"),
    };
    let operation = operation.to_owned();
    if let Some(remedy) = remedy(code, status) {
        let cause = format!("{}. {remedy}", cause.trim_end_matches('.'));
        return ObjectError::Refused { target, operation, cause };
    }
    let away = match e {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        _ => PASSING.contains(&code) || status.is_some_and(|s| s >= 500 || s == 429),
    };
    if away {
        ObjectError::Away { target, operation, cause }
    } else {
        ObjectError::Refused { target, operation, cause }
    }
}
