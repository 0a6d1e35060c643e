use super::*;

#[test]
fn a_range_is_read_however_it_is_written() {
    let holds = |range: &str, ip: &str| network(range).unwrap().contains(&ip.parse::<IpAddr>().unwrap());

    assert!(holds("10.0.0.0/8", "10.200.3.4") && holds("10.9.9.9/8", "10.200.3.4"));
    assert!(!holds("10.0.0.0/8", "11.0.0.1") && holds("0.0.0.0/0", "11.0.0.1"));
    assert!(holds("192.0.2.7", "192.0.2.7") && !holds("192.0.2.7", "192.0.2.8"));
    assert!(holds("fd00::/8", "fd12::1") && !holds("fd00::/8", "10.0.0.1") && holds("::/0", "fe80::1"));
    assert!(holds("::ffff:10.0.0.0/104", "10.1.1.1") && !holds("::ffff:10.0.0.0/104", "11.1.1.1"));
    for bad in ["", "10.0.0.0/33", "10.0.0/8", "host", "::1/129", "1.2.3.4/x"] {
        assert_eq!(network(bad), None, "{bad}");
    }
}
