use super::*;

#[test]
fn what_is_no_file_is_said_as_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();

    let told = |path: &Path| missing(path).to_string();

    assert!(told(folder.path()).contains("is not a file"));
    assert!(told(&link).contains("is a link to nowhere"));
    assert!(told(&folder.path().join("none")).contains("there is no"));
}
