//! Interprets a store's errors and says how to resolve them.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::objects::ObjectError;

/// An error and its causes in their own words, without internals of the client library.
pub(super) fn causes(e: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(e), |e| (**e).source());
    let mut said: Vec<String> = chain.map(ToString::to_string).collect();
    said.dedup();
    said.join(": ")
}

/// S3 error codes of temporary failures. Data that was altered in transit may arrive intact the next time.
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

/// What has to be done before the store accepts requests again.
fn remedy(code: &str, status: Option<u16>) -> Option<&'static str> {
    let full = ["StorageFull", "QuotaExceeded", "InsufficientStorage"];
    if status == Some(507) || full.iter().any(|word| code.contains(word)) {
        return Some("It is full: free up space, raise its quota or configure another target");
    }
    match code {
        "NoSuchBucket" => Some("The bucket does not exist: restore it or correct the name in the target"),
        "RequestTimeTooSkewed" => Some("Correct the clock of this machine"),
        "NotImplemented" => Some(UNKNOWN_REQUEST),
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => Some("Set region and endpoint of the target to those of the bucket"),
        "AccessDenied"
        | "AllAccessDisabled"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "InvalidToken" => Some(CREDENTIALS),
        _ => match status {
            Some(401 | 403) => Some(CREDENTIALS),
            Some(501) => Some(UNKNOWN_REQUEST),
            _ => None,
        },
    }
}

const CREDENTIALS: &str =
    "The target's credentials must be valid and allowed to read, write, list and delete in its bucket";
const UNKNOWN_REQUEST: &str = "It does not support this request: unset checksums, encryption, kms_key and \
                               storage_class of the target unless they are required";
const CERTIFICATE: &str = "Its certificate is not trusted: set ca of the target to its CA file, or have the \
                           certificate renewed or reissued for the host name in endpoint";
const NO_CREDENTIALS: &str = "No usable credentials were found: set access_key_id and secret_access_key of the target, or \
                              correct the environment variables, the profile or the role that provide them";
const NO_TLS: &str = "It does not use TLS on this port: start endpoint of the target with http:// if that is \
                      intended, or correct the port";

/// Whether the cause of an error is a connection that failed or took too long.
fn is_of_the_network(e: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(e), |&e| e.source()).any(|e| {
        let said = e.to_string();
        e.is::<std::io::Error>()
            || ["timeout", "timed out", "dispatch failure"].iter().any(|words| said.contains(words))
    })
}

/// How to resolve failures to connect or to sign a request that persist until somebody intervenes.
fn of_connection(e: &(dyn Error + 'static)) -> Option<&'static str> {
    let tls = |e: &rustls::Error| match e {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Some(CERTIFICATE),
        rustls::Error::InvalidMessage(_) => Some(NO_TLS),
        _ => None,
    };
    // Credentials that a service does not provide at the moment may come later; those that are not there do not. From the
    // second request on, a profile that does not exist is an unhandled error.
    let credentials = |e: &CredentialsError| match e {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => Some(NO_CREDENTIALS),
        // A service that provides credentials may not respond at the moment.
        e @ CredentialsError::Unhandled(_) => (!is_of_the_network(e)).then_some(NO_CREDENTIALS),
        _ => None,
    };
    let mut next = Some(e);
    while let Some(e) = next {
        if let Some(found) = e.downcast_ref::<rustls::Error>().and_then(tls) {
            return Some(found);
        }
        if let Some(found) = e.downcast_ref::<CredentialsError>().and_then(credentials) {
            return Some(found);
        }
        // `source` of such an error skips its content and returns the content's source.
        let inner = e.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => e.source(),
        };
    }
    None
}

/// The error message with the status and the code.
fn words(status: Option<u16>, code: &str, said: &str) -> String {
    let status = status.map(|s| format!("HTTP {s}"));
    let marks: Vec<&str> = status.as_deref().into_iter().chain(Some(code).filter(|c| !c.is_empty())).collect();
    let marks = marks.join(" ");
    match said.trim().trim_end_matches('.') {
        "" => marks,
        said if marks.is_empty() => said.to_owned(),
        said => format!("{said} ({marks})"),
    }
}

/// Converts a client error, with a sentence as its message.
pub(super) fn of<E>(e: &SdkError<E>, target: String, operation: &str, key: String) -> ObjectError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let status = e.raw_response().map(|r| r.status().as_u16());
    let code = e.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
    if matches!(code, "NoSuchKey" | "NoSuchUpload" | "NotFound") || (status == Some(404) && code.is_empty()) {
        return ObjectError::NotFound { target, key };
    }
    let cause = match e {
        SdkError::ServiceError(_) => {
            words(status, code, e.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default())
        }
        _ => words(status, code, &causes(e)),
    };
    let operation = operation.to_owned();
    let connection = match e {
        SdkError::DispatchFailure(_) => of_connection(e),
        _ => None,
    };
    if let Some(remedy) = connection.or_else(|| remedy(code, status)) {
        return ObjectError::Refused { target, operation, cause: format!("{cause}. {remedy}") };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_contain_the_status_and_the_code() {
        assert_eq!(words(Some(503), "SlowDown", "Reduce your rate."), "Reduce your rate (HTTP 503 SlowDown)");
        assert_eq!(words(Some(403), "", ""), "HTTP 403");
        assert_eq!(words(None, "", "request has timed out"), "request has timed out");
    }

    #[test]
    fn an_untrusted_certificate_is_found_at_any_depth() {
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let once = std::io::Error::new(std::io::ErrorKind::InvalidData, unknown);
        let twice = std::io::Error::other(once);
        assert_eq!(of_connection(&twice), Some(CERTIFICATE));
        let plain = std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
        );
        assert_eq!(of_connection(&plain), Some(NO_TLS));
        assert_eq!(of_connection(&std::io::Error::from(std::io::ErrorKind::ConnectionRefused)), None);
        let none = CredentialsError::not_loaded("no providers in chain provided credentials");
        assert_eq!(of_connection(&std::io::Error::other(none)), Some(NO_CREDENTIALS));
        let away = CredentialsError::provider_error("the service of the role does not respond");
        assert_eq!(of_connection(&std::io::Error::other(away)), None);
        assert_eq!(remedy("NotImplemented", Some(501)), Some(UNKNOWN_REQUEST));
        assert_eq!(remedy("", Some(501)), Some(UNKNOWN_REQUEST));
        assert_eq!(remedy("SlowDown", Some(503)), None);
    }
}
