//! Rate limits on password guessing. They slow down guessers and nobody else: attempts on an account are limited for
//! each address, and for all strangers together. A device from which somebody has signed in to the account before has
//! its own limit, so that no flood of wrong passwords keeps its owner out.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Attempts of an address in a burst, for any accounts; then one more every 6 s.
const PER_ADDRESS: (u32, u64) = (20, 6000);
/// Attempts of an address for one account; then one more every 12 s.
const PER_PAIR: (u32, u64) = (10, 12_000);
/// Attempts of all strangers together for one account; then one more every 2 s. This limits guessers with many
/// addresses.
const PER_ACCOUNT: (u32, u64) = (60, 2000);
/// Attempts from a known device, or by a signed-in user, for their own account; then one more every 12 s.
const PER_DEVICE: (u32, u64) = (10, 12_000);

/// Counts sign-in attempts. Kept in memory: a restart resets the counters, but causing one costs an attacker more than
/// it gains.
pub struct LoginLimits {
    addresses: DefaultKeyedRateLimiter<String>,
    pairs: DefaultKeyedRateLimiter<(String, String)>,
    accounts: DefaultKeyedRateLimiter<String>,
    devices: DefaultKeyedRateLimiter<(String, String)>,
}

fn limiter<K: std::hash::Hash + Eq + Clone>((burst, every): (u32, u64)) -> DefaultKeyedRateLimiter<K> {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(Duration::from_millis(every)).map(|q| q.allow_burst(burst));
    RateLimiter::keyed(quota.unwrap_or(Quota::per_minute(burst)))
}

impl Default for LoginLimits {
    fn default() -> Self {
        Self {
            addresses: limiter(PER_ADDRESS),
            pairs: limiter(PER_PAIR),
            accounts: limiter(PER_ACCOUNT),
            devices: limiter(PER_DEVICE),
        }
    }
}

/// The address to count attempts by. For IPv6, a whole /64 network counts as one, because whoever has one address of it has
/// all 2^64.
pub fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl LoginLimits {
    /// Counts one attempt of a stranger.
    ///
    /// # Errors
    /// The seconds to wait, if the address has used up its attempts or strangers have used up those of the account.
    pub fn count(&self, address: &str, account: &str) -> Result<(), u64> {
        let place = address.parse().map_or_else(|_| address.to_owned(), |ip| place(ip).to_string());
        let now = DefaultClock::default().now();
        let wait = |until: governor::NotUntil<_>| until.wait_time_from(now).as_secs() + 1;
        self.addresses.check_key(&place).map_err(wait)?;
        self.pairs.check_key(&(place, account.to_owned())).map_err(wait)?;
        self.accounts.check_key(&account.to_owned()).map_err(wait)
    }

    /// Counts one attempt for an account from a device or session that belongs to it.
    pub fn count_known(&self, device: &str, account: &str) -> Result<(), u64> {
        let now = DefaultClock::default().now();
        let wait = |until: governor::NotUntil<_>| until.wait_time_from(now).as_secs() + 1;
        self.devices.check_key(&(device.to_owned(), account.to_owned())).map_err(wait)
    }

    /// Removes keys that have recovered, so that a flood of invented names does not fill the memory.
    pub fn tidy(&self) {
        self.addresses.retain_recent();
        self.pairs.retain_recent();
        self.accounts.retain_recent();
        self.devices.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of these attempts are allowed.
    fn passed(tries: u32, mut one: impl FnMut(u32) -> Result<(), u64>) -> u32 {
        (0..tries).map(|n| u32::from(one(n).is_ok())).sum()
    }

    #[test]
    fn attempts_are_limited_per_address_and_account() {
        let limits = LoginLimits::default();
        assert_eq!(passed(50, |_| limits.count("10.0.0.1", "ada")), PER_PAIR.0);
        let left = passed(50, |n| limits.count("10.0.0.1", &format!("other{n}")));
        assert!(left <= PER_ADDRESS.0 - PER_PAIR.0, "{left}");
        assert!(limits.count("10.0.0.3", "ada").is_ok(), "another address is not slowed");
    }

    #[test]
    fn attempts_from_many_addresses_are_limited_but_known_devices_are_not() {
        let limits = LoginLimits::default();
        let address = |n: u32| format!("10.0.{}.{}", n / 250, n % 250);
        assert_eq!(passed(500, |n| limits.count(&address(n), "ada")), PER_ACCOUNT.0);
        assert!(limits.count_known("laptop", "ada").is_ok());
        assert!(limits.count(&address(3), "grace").is_ok(), "nor is another account");
        assert_eq!(passed(50, |_| limits.count_known("stolen", "ada")), PER_DEVICE.0);
        assert!(limits.count_known("laptop", "ada").is_ok());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let limits = LoginLimits::default();
        assert_eq!(passed(50, |n| limits.count(&format!("2001:db8:1:2::{n:x}"), "ada")), PER_PAIR.0);
        assert!(limits.count("2001:db8:1:3::1", "ada").is_ok());
        let place = |text: &str| place(text.parse().unwrap()).to_string();
        assert_eq!(place("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(place("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
