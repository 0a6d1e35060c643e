//! Where the Control UI is that `--control-ui` means: a folder, or that of an OpenClaw which is installed here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use gatehouse_core::Env;

use crate::exit::{Exit, Failed};

/// The word for "find one".
pub(super) const AUTO: &str = "auto";

/// Where a package has it.
const IN_PACKAGE: &str = "dist/control-ui";

/// The file that makes a folder a built program.
const PAGE: &str = "index.html";

/// Folders in which package managers keep what they install for everybody.
const FOR_ALL: [&str; 5] = [
    "/usr/local/lib/node_modules",
    "/usr/lib/node_modules",
    "/opt/homebrew/lib/node_modules",
    "/usr/share/nodejs",
    "/app/node_modules",
];

/// The same for one person, below the home.
const FOR_ONE: [&str; 6] = [
    ".npm-global/lib/node_modules",
    ".local/lib/node_modules",
    ".local/share/pnpm/global/5/node_modules",
    "Library/pnpm/global/5/node_modules",
    ".bun/install/global/node_modules",
    ".config/yarn/global/node_modules",
];

/// The folder, whole; or what is in the way.
pub(super) fn find(env: &Env, named: Option<&Path>) -> Result<Option<PathBuf>, Failed> {
    let Some(named) = named else { return Ok(None) };
    if named.as_os_str() == AUTO {
        let found = packages(env)
            .map(|package| package.join(IN_PACKAGE))
            .find(|root| is_built(root));
        return found.map(Some).ok_or_else(|| {
            Failed::new(Exit::Configuration, "no installed openclaw package has a Control UI")
                .next("install one with `npm install -g openclaw`, or name the folder: gatehouse up --control-ui DIR")
        });
    }
    // A package, or its folder of built programs, is as good as the program's own.
    let roots = [named.to_owned(), named.join(IN_PACKAGE), named.join("control-ui")];
    let root = roots.into_iter().find(|root| is_built(root)).ok_or_else(|| {
        Failed::new(
            Exit::Configuration,
            format!("{} holds no Control UI: there is no {PAGE} in it", named.display()),
        )
        .next("name the folder that a build wrote, for example node_modules/openclaw/dist/control-ui, or `auto`")
    })?;
    let whole = std::path::absolute(&root);
    whole
        .map(Some)
        .map_err(|error| Failed::new(Exit::Failed, format!("cannot find {}: {error}", root.display())))
}

fn is_built(root: &Path) -> bool {
    root.join(PAGE).is_file()
}

/// Where the package may be, the one that `openclaw` on the command line means first.
fn packages(env: &Env) -> impl Iterator<Item = PathBuf> {
    let on_path = std::env::split_paths(env.get("PATH").unwrap_or_default()).filter_map(|folder| {
        let program = fs::canonicalize(folder.join("openclaw")).ok()?;
        program
            .ancestors()
            .find(|folder| folder.ends_with("openclaw"))
            .map(Path::to_owned)
    });
    let home = env.get("HOME").map(PathBuf::from).unwrap_or_default();
    let prefix = env.get("npm_config_prefix").or(env.get("NPM_CONFIG_PREFIX"));
    let folders = [PathBuf::from("node_modules")]
        .into_iter()
        .chain(prefix.map(|prefix| Path::new(prefix).join("lib/node_modules")))
        .chain(FOR_ONE.map(|folder| home.join(folder)))
        .chain(versions(&home.join(".nvm/versions/node")))
        .chain(versions(&home.join(".local/share/fnm/node-versions")))
        .chain(FOR_ALL.map(PathBuf::from));
    let found: Vec<PathBuf> = on_path
        .chain(folders.map(|folder| folder.join("openclaw")))
        .collect();
    found
        .into_iter()
        .filter_map(|package| std::path::absolute(package).ok())
}

/// The folders of packages of each installed Node, the newest first.
fn versions(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    all.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).and_then(|facts| facts.modified()).ok()));
    all.into_iter()
        .flat_map(|version| {
            [
                version.join("lib/node_modules"),
                version.join("installation/lib/node_modules"),
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(root: &Path) {
        fs::create_dir_all(root).unwrap();
        fs::write(root.join(PAGE), "<html>").unwrap();
    }

    #[test]
    fn a_folder_a_package_and_what_is_installed_are_found_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        let env = Env::of([
            ("HOME", home.to_string_lossy()),
            ("PATH", home.join("bin").to_string_lossy()),
        ]);
        let named = |path: &Path| find(&env, Some(path));
        let missing = named(&home.join("nothing"))
            .expect_err("it is not there")
            .to_string();
        assert!(missing.contains("holds no Control UI"), "{missing}");

        let package = home.join(".npm-global/lib/node_modules/openclaw");
        built(&package.join(IN_PACKAGE));
        for path in [
            package.clone(),
            package.join("dist"),
            package.join(IN_PACKAGE),
            AUTO.into(),
        ] {
            assert_eq!(
                named(&path).unwrap(),
                Some(package.join(IN_PACKAGE)),
                "{}",
                path.display()
            );
        }
        assert_eq!(find(&env, None).unwrap(), None);

        let other = home.join("other/openclaw");
        built(&other.join(IN_PACKAGE));
        fs::write(other.join("openclaw.mjs"), "").unwrap();
        fs::create_dir(home.join("bin")).unwrap();
        std::os::unix::fs::symlink(other.join("openclaw.mjs"), home.join("bin/openclaw")).unwrap();
        let on_path = named(Path::new(AUTO)).unwrap().unwrap();
        assert!(
            on_path.ends_with("other/openclaw/dist/control-ui"),
            "{}",
            on_path.display()
        );
    }
}
