package stacks

import (
	"strings"
	"testing"
)

const (
	nodeAddress = "hxefd74609e39b8accfbd82372ddb6e63cbb52c76c"
	// nodeKeystore was written by `goloop ks gen` for nodeAddress.
	nodeKeystore = `{"address":"hxefd74609e39b8accfbd82372ddb6e63cbb52c76c","id":"645a4506-9279-4391-98d8-fa02b430547f","version":3,` +
		`"coinType":"icx","crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6d90cc82c9ca950e8aee6a586439d61d"},` +
		`"ciphertext":"47884246eea163c209c898b2ebf128be138d85f857624908f91aa6ddc00237af","kdf":"scrypt",` +
		`"kdfparams":{"dklen":32,"n":65536,"r":8,"p":1,"salt":"7045bf1ac9247f58"},` +
		`"mac":"d03ab6f69676c74295658780996f03e80f8484d74d34186d1d2618de3da3f9f1"}}`
	nodePassword = "correct horse"
)

type keystoreCase struct {
	name, text string
	imported   map[string]string
	wanted     string
}

// keystoreCases are secrets with one mistake each.
func keystoreCases() []keystoreCase {
	imported := map[string]string{"prep-1": nodeAddress}
	entry := func(keystore, password string) string {
		return `{"prep-1": {"keystore": ` + keystore + `, "password": "` + password + `"}}`
	}
	with := func(old, replacement string) string {
		return entry(strings.Replace(nodeKeystore, old, replacement, 1), nodePassword)
	}
	const notAKeystore = "icon:keystores.prep-1.keystore: is not a keystore (content not shown); " +
		"wanted the JSON object of a keystore file, not its path or its text in quotes"
	const notTheForm = `icon:keystores: is not of the form {"<host>": {"keystore": {…}, "password": "…"}} (content not shown)`
	return []keystoreCase{
		{"not JSON", "prep-1=" + nodePassword, imported, notTheForm},
		{"unknown key", `{"prep-1": {"pasword": "` + nodePassword + `"}}`, imported, notTheForm},
		{"text after the object", entry(nodeKeystore, nodePassword) + "{}", imported, notTheForm},
		{"brace too many", entry(nodeKeystore, nodePassword) + "}", imported, notTheForm},
		{
			"host absent", `{}`, imported,
			`icon:keystores.prep-1: is missing; wanted {"keystore": {…}, "password": "…"}, since icon:importedKeys names this host`,
		},
		{
			"host too many", strings.TrimSuffix(entry(nodeKeystore, nodePassword), "}") + `, "` + nodePassword + `": {}}`, imported,
			"icon:keystores: holds 1 more than icon:importedKeys names (names not shown); wanted exactly: prep-1",
		},
		{"keystore as path", entry(`"prep.json"`, nodePassword), imported, notAKeystore},
		{"keystore null", entry("null", nodePassword), imported, notAKeystore},
		{
			"old version", with(`"version":3`, `"version":1`), imported,
			"icon:keystores.prep-1.keystore: has version 1; wanted a keystore of version 3, as goloop ks gen writes it",
		},
		{
			"no cipher text", with(`"ciphertext"`, `"ciphertxt"`), imported,
			"icon:keystores.prep-1.keystore: lacks crypto.cipher, crypto.ciphertext, crypto.kdf or crypto.mac; wanted a whole keystore file",
		},
		{
			"another key", with("hxefd", "hxabc"), imported,
			"icon:keystores.prep-1.keystore: holds another key than icon:importedKeys says; wanted that of " + nodeAddress,
		},
		{"no password", entry(nodeKeystore, ""), imported, "icon:keystores.prep-1.password: is missing; wanted the keystore's password"},
		{
			"password with line end", entry(nodeKeystore, nodePassword+`\n`), imported,
			"icon:keystores.prep-1.password: holds a line break or another control character (not shown); wanted one line, without its end",
		},
	}
}

func TestWrongKeystoresAreRefusedWithoutShowingThem(t *testing.T) {
	for _, c := range keystoreCases() {
		t.Run(c.name, func(t *testing.T) {
			keystores, err := ParseKeystores(c.text, c.imported)
			if err == nil || keystores != nil {
				t.Fatalf("accepted: %d keystores, error %v", len(keystores), err)
			}
			if want := "stack configuration: 1 problem\n  " + c.wanted; err.Error() != want {
				t.Errorf("message\n%v\nwanted\n%s", err, want)
			}
			if strings.Contains(err.Error(), nodePassword) || strings.Contains(err.Error(), "47884246") {
				t.Errorf("the message shows a secret: %v", err)
			}
		})
	}
}

func TestKeystoresAreGivenByHost(t *testing.T) {
	text := `{"prep-1": {"keystore": ` + nodeKeystore + `, "password": "` + nodePassword + `"}}`
	keystores, err := ParseKeystores(text, map[string]string{"prep-1": nodeAddress})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Keystore{JSON: nodeKeystore, Password: nodePassword}); len(keystores) != 1 || keystores["prep-1"] != want {
		t.Errorf("got %d keystores, not the one of prep-1 as given", len(keystores))
	}
}
