use super::*;

#[test]
fn the_addresses_of_this_machine_are_read_and_that_of_a_tailnet_is_known() {
    let v4 = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 100.101.2.3\n        \
                  /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.168.1.0\n        /24 link UNICAST\n     \
                  |-- 192.168.1.7\n        /32 host LOCAL\n";
    let v6 = "00000000000000000000000000000001 01 80 10 80       lo\n\
                  fd7a115ca1e000000000000000000009 05 80 00 80 tailscale0\n\
                  fe800000000000000000000000000001 02 40 20 80     eth0\n";

    let found = own(v4, v6);

    let expected = ["100.101.2.3", "192.168.1.7", "fd7a:115c:a1e0::9"];
    assert_eq!(found, expected.map(|ip| ip.parse::<IpAddr>().unwrap()));
    let tailnet: Vec<bool> = found.iter().map(is_of_tailnet).collect();
    assert_eq!(tailnet, [true, false, true]);
    assert!(!is_of_tailnet(&"100.128.0.1".parse().unwrap()));
}

fn key(ip: &str) -> PeerKey {
    PeerKey::of(ip.parse().unwrap())
}

#[test]
fn one_peer_is_one_key_however_its_address_is_written() {
    for (one, other) in [
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("192.0.2.1", "64:ff9b::192.0.2.1"),
        ("127.0.0.1", "127.9.9.9"),
        ("127.0.0.1", "::1"),
        ("127.0.0.1", "::ffff:127.0.0.2"),
        ("2001:db8::1", "2001:db8::ffff:0:0:1"),
    ] {
        assert_eq!(key(one), key(other), "{one} {other}");
    }
    for (one, other) in [
        ("192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8:0:1::1"),
        ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2"),
        ("127.0.0.1", "128.0.0.1"),
    ] {
        assert_ne!(key(one), key(other), "{one} {other}");
    }
    assert_eq!(key("2001:db8::1").to_string(), "2001:db8::/64");
}

#[test]
fn the_gateways_are_those_of_the_routes() {
    let v4 = "Iface\tDestination\tGateway \tFlags\n\
                  eth0\t00000000\t010011AC\t0003\t0\n\
                  eth0\t000011AC\t00000000\t0001\t0\n";
    let v6 = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                  fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n\
                  fe800000000000000000000000000000 40 00000000000000000000000000000000 00 \
                  00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0\n";

    let gateways = Gateways::parse(v4, v6);

    let has = |ip: &str| gateways.contains(ip.parse().unwrap());
    if cfg!(target_endian = "little") {
        assert!(has("172.17.0.1") && has("::ffff:172.17.0.1"));
    }
    assert!(has("fe80::1"));
    assert!(!has("172.17.0.2") && !has("0.0.0.0") && !has("::"));
    assert!(!Gateways::parse("", "nonsense").contains([0, 0, 0, 0].into()));
}

#[test]
fn a_name_that_somebody_can_own_is_told_from_one_that_nobody_can() {
    for fixed in [
        "localhost",
        "LOCALHOST",
        "ui.localhost",
        "localhost.",
        "127.0.0.1",
        "192.168.1.4",
        "::1",
    ] {
        assert_eq!(HostName::of(fixed), HostName::Fixed, "{fixed}");
    }
    for plain in [
        "edge",
        "x",
        "raspberrypi",
        "raspberrypi.local",
        "RaspberryPi.Local",
        "edge.internal",
        "nas.home.arpa",
        "nas.lan",
        "gate.fritz.box",
        "box.home",
        "pi.localdomain",
        "pi.speedport.ip",
    ] {
        assert_eq!(HostName::of(plain), HostName::Plain, "{plain}");
    }
    for owned in [
        "",
        "evil.example",
        "edge.",
        "0.0.0.0",
        "::",
        "localhost.evil.example",
        "localhost@evil.example",
        "local.evil.example",
        "evil.local.",
        "[::1].evil.example",
        "1.2.3",
        "lan.evil.example",
        "nas.lan.evil.example",
        "fritz.box",
        "evil-fritz.box",
        "evilfritz.box",
        ".local",
        ".lan",
        "a..lan",
    ] {
        assert_eq!(HostName::of(owned), HostName::Owned, "{owned}");
    }
}

#[test]
fn the_port_of_a_host_is_cut_off() {
    for (authority, name) in [
        ("localhost:1", "localhost"),
        ("[::1]:1", "::1"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("edge", "edge"),
        ("[::1].evil.example", "[::1].evil.example"),
        ("evil.example:1:localhost", "evil.example:1:localhost"),
    ] {
        assert_eq!(host_of(authority), name);
    }
}
