//! What PostgreSQL stores of a password for SCRAM-SHA-256 (RFC 5803). The portal sends this instead of the password, because
//! the text of a statement can be read elsewhere in the server: in logs, in `pg_stat_statements` and `pg_stat_activity`.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::{digest, hmac, pbkdf2};
use secrecy::{ExposeSecret, SecretString};

use crate::engine::spec::ServerSpec;

/// Iterations, as by the server's own default.
const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4095);
/// Bytes of a salt, as in the server.
const SALT_BYTES: usize = 16;

/// The verifier of a password in this server. It is the same for every call, so that a script can tell whether the server
/// has it. The salt depends on the administrator's password, which nobody else knows.
pub(super) fn verifier(plan: &ServerSpec<'_>, password: &SecretString) -> SecretString {
    let key = hmac::Key::new(hmac::HMAC_SHA256, plan.admin_password.expose_secret().as_bytes());
    let salt = hmac::sign(&key, format!("db4sci salt {}", password.expose_secret()).as_bytes());
    SecretString::from(with_salt(password, salt.as_ref().get(..SALT_BYTES).unwrap_or_default()))
}

fn with_salt(password: &SecretString, salt: &[u8]) -> String {
    let typed = password.expose_secret();
    // Like the server and its clients, which use the text as it is if it cannot be normalised.
    let password = stringprep::saslprep(typed).unwrap_or(std::borrow::Cow::Borrowed(typed));
    let mut salted = [0; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, salt, password.as_bytes(), &mut salted);
    let sign = |text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &salted), text.as_bytes());
    let stored = digest::digest(&digest::SHA256, sign("Client Key").as_ref());
    let server = sign("Server Key");
    let (salt, stored, server) = (BASE64.encode(salt), BASE64.encode(stored), BASE64.encode(server));
    format!("SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}")
}

#[cfg(test)]
mod tests {
    use crate::engine::postgres::verifier::*;

    #[test]
    fn the_verifier_equals_the_servers() {
        // Keys of the example of RFC 7677, section 3: the server signature there is made with this server key.
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let said = with_salt(&SecretString::from("pencil"), &salt);
        let expected = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        assert_eq!(said, expected);
    }
}
