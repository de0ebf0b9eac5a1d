package stacks

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// Keystore is a node key and what opens it. Both are secrets.
type Keystore struct {
	// JSON is the keystore file's text (version 3).
	JSON string
	// Password opens it.
	Password string
}

// ParseKeystores reads the secret icon:keystores: one entry for each host of imported (icon:importedKeys: host → address) and no other.
// Its error is a Problems that shows nothing of the text.
func ParseKeystores(text string, imported map[string]string) (map[string]Keystore, error) {
	p := newCollector()
	var entries map[string]struct {
		Keystore json.RawMessage `json:"keystore"`
		Password string          `json:"password"`
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&entries)
	if _, end := decoder.Token(); err != nil || !errors.Is(end, io.EOF) {
		// The decoder's own words may quote the text.
		p.add("keystores", `is not of the form {"<host>": {"keystore": {…}, "password": "…"}} (content not shown)`)
		return nil, p.err()
	}
	keystores := map[string]Keystore{}
	for _, host := range sortedKeys(imported) {
		path := wording.Under("keystores", host)
		entry, ok := entries[host]
		if !ok {
			p.missing(path, `{"keystore": {…}, "password": "…"}, since icon:importedKeys names this host`)
			continue
		}
		keystores[host] = Keystore{JSON: string(entry.Keystore), Password: entry.Password}
		checkKeystore(p, wording.Under(path, "keystore"), entry.Keystore, imported[host])
		checkPassword(p, wording.Under(path, "password"), entry.Password)
	}
	if extra := len(entries) - len(keystores); extra > 0 {
		p.add("keystores", "holds %d more than icon:importedKeys names (names not shown); wanted exactly: %s",
			extra, strings.Join(sortedKeys(imported), ", "))
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	return keystores, nil
}

func checkKeystore(p *collector, path string, text json.RawMessage, address string) {
	var keystore struct {
		Address string `json:"address"`
		Version int    `json:"version"`
		Crypto  struct {
			Cipher     string `json:"cipher"`
			CipherText string `json:"ciphertext"`
			KDF        string `json:"kdf"`
			MAC        string `json:"mac"`
		} `json:"crypto"`
	}
	err := json.Unmarshal(text, &keystore)
	crypto := keystore.Crypto
	switch {
	case err != nil || len(text) == 0 || text[0] != '{':
		p.add(path, "is not a keystore (content not shown); wanted the JSON object of a keystore file, not its path or its text in quotes")
	case keystore.Version != 3:
		p.add(path, "has version %d; wanted a keystore of version 3, as goloop ks gen writes it", keystore.Version)
	case crypto.Cipher == "" || crypto.CipherText == "" || crypto.KDF == "" || crypto.MAC == "":
		p.add(path, "lacks crypto.cipher, crypto.ciphertext, crypto.kdf or crypto.mac; wanted a whole keystore file")
	case keystore.Address != address:
		p.add(path, "holds another key than icon:importedKeys says; wanted that of %s", address)
	}
}

func checkPassword(p *collector, path, password string) {
	switch {
	case password == "":
		p.missing(path, "the keystore's password")
	case strings.ContainsFunc(password, unicode.IsControl):
		p.add(path, "holds a line break or another control character (not shown); wanted one line, without its end")
	}
}
