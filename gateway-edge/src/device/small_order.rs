//! Public keys that are nobody's: the points of small order of the curve. Ed25519 verification as RFC 8032 has it takes them, and a
//! signature for one can be written down without any private key. No key pair has one.

/// The `y` of the eight points whose order divides 8, and the two of them that fit in 255 bits a second time, larger by the field's
/// prime. Little endian, without the sign of `x`: each stands for both.
const POINTS: [[u8; 32]; 7] = [
    [0; 32],
    starting(0x01, 0x00, 0x00),
    // 2^255 - 20, 2^255 - 19, 2^255 - 18: the prime less one, the prime, and one more
    starting(0xec, 0xff, 0x7f),
    starting(0xed, 0xff, 0x7f),
    starting(0xee, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

const fn starting(first: u8, rest: u8, last: u8) -> [u8; 32] {
    let mut point = [rest; 32];
    point[0] = first;
    point[31] = last;
    point
}

/// Whether a key is such a point.
pub(super) fn is_one(key: &[u8]) -> bool {
    let Some((last, rest)) = key.split_last() else {
        return false;
    };
    POINTS
        .iter()
        .any(|point| *rest == point[..31] && last & 0x7f == point[31])
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

    use super::*;

    /// Both signs of each point.
    fn all() -> impl Iterator<Item = [u8; 32]> {
        POINTS.into_iter().flat_map(|point| {
            let mut negative = point;
            negative[31] |= 0x80;
            [point, negative]
        })
    }

    #[test]
    fn every_point_of_small_order_is_known_in_each_spelling_and_no_key_pair_has_one() {
        assert!(all().all(|point| is_one(&point)));
        for seed in 0..32 {
            let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
            assert!(!is_one(pair.public_key().as_ref()));
        }
        assert!(!is_one(&[2; 32]) && !is_one(&[]));
    }

    #[test]
    fn what_is_refused_could_be_signed_for_without_a_key() {
        // With S = 0 a signature is good when R is minus some multiple of the key: one of these points, for one text of a few.
        let forges = |key: &[u8; 32], text: &[u8]| {
            all().any(|r| {
                let signature = [r, [0; 32]].concat();
                UnparsedPublicKey::new(&ED25519, key)
                    .verify(text, &signature)
                    .is_ok()
            })
        };
        let forged = all()
            .filter(|key| (0..64_u8).any(|nonce| forges(key, &[nonce])))
            .count();

        // The others are spellings that this library does not read; the next one may.
        assert!(forged >= 8, "{forged}");
    }
}
