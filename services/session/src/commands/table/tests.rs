use std::collections::HashSet;

use super::*;

#[test]
fn every_word_means_one_command_and_every_name_has_one() {
    let mut words = HashSet::new();
    for command in &COMMANDS {
        for word in command.words {
            assert!(words.insert(*word), "{word} means two commands");
            assert_eq!(find(&word.to_uppercase()).unwrap().what, command.what);
        }
        assert_eq!(of(command.what).unwrap().name(), command.name());
    }
    assert!(find("etc").is_none() && find("").is_none());
}
