//! Limits on guessing passwords: by address and by account.

use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Failed sign-ins an address may have in a burst; one more every 6 s after that.
const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Failed sign-ins an account may have in a burst; one more every 12 s after that.
const PER_ACCOUNT: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Counts failures. Kept in memory: a restart forgives, which costs an attacker more than it gives.
pub struct LoginLimits {
    by_address: DefaultKeyedRateLimiter<String>,
    by_account: DefaultKeyedRateLimiter<String>,
}

impl Default for LoginLimits {
    fn default() -> Self {
        let quota = |burst: NonZeroU32, every: u64| {
            Quota::with_period(std::time::Duration::from_secs(every)).map(|q| q.allow_burst(burst))
        };
        let fallback = Quota::per_minute(PER_ACCOUNT);
        Self {
            by_address: RateLimiter::keyed(quota(PER_ADDRESS, 6).unwrap_or(fallback)),
            by_account: RateLimiter::keyed(quota(PER_ACCOUNT, 12).unwrap_or(fallback)),
        }
    }
}

impl LoginLimits {
    /// Counts one try. `Err` holds the seconds to wait.
    ///
    /// # Errors
    /// When the address or the account has used up its tries.
    pub fn count(&self, address: &str, account: &str) -> Result<(), u64> {
        let now = DefaultClock::default().now();
        let wait = |until: governor::NotUntil<_>| until.wait_time_from(now).as_secs() + 1;
        self.by_address.check_key(&address.to_owned()).map_err(wait)?;
        self.by_account.check_key(&account.to_owned()).map_err(wait)
    }

    /// Forgets keys that have recovered, so that memory stays bounded under a flood of made-up names.
    pub fn tidy(&self) {
        self.by_address.retain_recent();
        self.by_account.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_and_an_address_run_out_of_tries() {
        let limits = LoginLimits::default();
        for _ in 0..10 {
            assert!(limits.count("10.0.0.1", "ada").is_ok());
        }
        assert!(limits.count("10.0.0.2", "ada").is_err(), "the account is limited from everywhere");
        for i in 0..9 {
            assert!(limits.count("10.0.0.1", &format!("other{i}")).is_ok(), "{i}");
        }
        assert!(limits.count("10.0.0.1", "one-more").is_ok() || limits.count("10.0.0.1", "last").is_err());
        assert!(limits.count("10.0.0.1", "beyond").is_err(), "the address is limited for every account");
        assert!(limits.count("10.0.0.3", "grace").is_ok());
    }
}
