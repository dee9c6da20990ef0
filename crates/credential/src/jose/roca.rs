//! RSA moduli of a broken generator (CVE-2017-15361, "ROCA"): their primes are `k · M + 65537^a mod M` for a
//! product `M` of small primes, so the modulus is a power of 65537 modulo each small prime. A sound modulus
//! passes all 38 tests by chance about once in 2^28.

/// The small primes; the generator's order modulo each is smaller than the prime less one for enough of them.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether the modulus, big-endian, has the fingerprint.
pub(super) fn is_weak(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| is_power(remainder(modulus, *prime), *prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    number.iter().fold(0, |rest: u32, byte| {
        rest.wrapping_mul(256).wrapping_add(u32::from(*byte)).checked_rem(prime).unwrap_or(0)
    })
}

/// Whether the residue is a power of 65537 modulo the prime.
fn is_power(residue: u32, prime: u32) -> bool {
    let generator = 65_537_u32.checked_rem(prime).unwrap_or(0);
    let mut power = 1;
    for _ in 0..prime {
        if power == residue {
            return true;
        }
        power = power.wrapping_mul(generator).checked_rem(prime).unwrap_or(0);
    }
    false
}
