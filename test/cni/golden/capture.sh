#!/bin/sh
# Writes results.json: what the reference's own library prints for the results in samples.json in each version, and
# what it makes of the results in documents.json. Needs Go and its module proxy.
#   test/cni/golden/capture.sh
set -eu
cd "$(dirname "$0")"
here=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >main.go <<'GO'
package main

import (
	"bytes"
	"encoding/json"
	"os"

	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/types/create"
	"github.com/containernetworking/cni/pkg/version"
)

type entry struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Text    string `json:"text,omitempty"`
	Error   string `json:"error,omitempty"`
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func load(path string) (names []string, documents map[string]json.RawMessage) {
	data, err := os.ReadFile(path)
	check(err)
	check(json.Unmarshal(data, &documents))
	decoder := json.NewDecoder(bytes.NewReader(data))
	_, err = decoder.Token()
	check(err)
	for decoder.More() {
		name, err := decoder.Token()
		check(err)
		names = append(names, name.(string))
		var skipped json.RawMessage
		check(decoder.Decode(&skipped))
	}
	return names, documents
}

func print(name string, document json.RawMessage, toVersion string) entry {
	fromVersion, err := create.DecodeVersion(document)
	check(err)
	result, err := create.Create(fromVersion, document)
	check(err)
	converted, err := result.GetAsVersion(toVersion)
	if err != nil {
		return entry{Name: name, Version: toVersion, Error: err.Error()}
	}
	var text bytes.Buffer
	check(converted.PrintTo(&text))
	return entry{Name: name, Version: toVersion, Text: text.String()}
}

func main() {
	entries := []entry{}
	names, samples := load(os.Args[1])
	for _, name := range names {
		for _, v := range version.All.SupportedVersions() {
			entries = append(entries, print(name, samples[name], v))
		}
	}
	names, documents := load(os.Args[2])
	for _, name := range names {
		entries = append(entries, print(name, documents[name], types100.ImplementedSpecVersion))
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	check(out.Encode(entries))
}
GO
go mod init capture
go get github.com/containernetworking/cni@v1.3.0
go run . "$here/samples.json" "$here/documents.json" >results.json
mv results.json "$here/results.json"
