package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is the version that a release's build was told; "" in all others:
//
//	go build -ldflags "-X github.com/switchtape/switchtape/cmd/internal/cli.release=0.1.0"
var release string

// Software is the version of this program, by how it was built: that of the module, or of
// the commit; "" if nothing is known.
func Software() string {
	version, settings := built()
	if version != "" {
		return version
	}
	commit := settings["vcs.revision"]
	return commit[:min(len(commit), 12)]
}

// built is what the build has stamped: the release, or the module's version, "" if it has
// neither, and how it was built.
func built() (version string, settings map[string]string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", nil
	}
	settings = map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if release != "" {
		return release, settings
	}
	if version = info.Main.Version; version == "(devel)" {
		version = ""
	}
	return version, settings
}

// version is the program's for people: with the commit and what it was built with.
func version() string {
	v, settings := built()
	if v == "" {
		v = "development"
	}
	if commit := settings["vcs.revision"]; commit != "" {
		v += fmt.Sprintf(" (commit %.12s of %s", commit, settings["vcs.time"])
		if settings["vcs.modified"] == "true" {
			v += ", changed since"
		}
		v += ")"
	}
	return fmt.Sprintf("%s, %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
