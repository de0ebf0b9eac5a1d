// Package cloudinit renders what a cloud tells a new machine for its first boot (user-data): who the machine is to SSH, and who may log
// in. Everything else is done by steps over that login. It knows neither Pulumi nor clouds.
package cloudinit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// MaxBytes is how much user-data EC2 takes, before it is encoded (16 KiB: Amazon EC2 User Guide, "Run commands when you launch an EC2
// instance with user data input").
const MaxBytes = 16 * 1024

// Settings are what a machine is told. All fields are required.
type Settings struct {
	// HostKeyPrivate is the machine's SSH host key, an ed25519 key without passphrase in OpenSSH's format. It is the only secret of the
	// result.
	HostKeyPrivate string
	// HostKeyPublic is its public half, "ssh-ed25519 AAAA…": what those who connect will expect.
	HostKeyPublic string
	// User is the login user, who may become root without a password. Debian's images for EC2 call theirs "admin".
	User string
	// AdministratorKeys are the public SSH keys that User lets in, and no others.
	AdministratorKeys []string
}

// The drop-in comes first among sshd's own ("Include" stands at the top of Debian's sshd_config, and the first value wins), and is there
// before sshd starts. cloud-init's own ssh_pwauth would write later and restart sshd under those who are connecting by then.
// ssh_genkeytypes is not set: where ssh_keys is, cloud-init makes no other host key.
const config = `#cloud-config
# Made by pulumi-icon. Host key and login only; everything else is set up over SSH.
ssh_deletekeys: true
ssh_keys:
  ed25519_private: |
%[1]s  ed25519_public: %[2]s
users:
  - name: %[3]s
    shell: /bin/bash
    lock_passwd: true
    sudo: "ALL=(ALL) NOPASSWD:ALL"
    ssh_authorized_keys:
%[4]s# The machine stays what it was told at its first boot. Otherwise cloud-init asks the cloud at every boot, and takes a machine that
# gets no answer, behind a firewall for example, for a new one: with another host key.
manual_cache_clean: true
# Keys come from above alone, not from the cloud.
allow_public_ssh_keys: false
disable_root: true
write_files:
  - path: /etc/ssh/sshd_config.d/00-icon.conf
    owner: root:root
    permissions: "0644"
    content: |
      # Made by pulumi-icon.
      PermitRootLogin no
      PasswordAuthentication no
      KbdInteractiveAuthentication no
# The steps install packages, and wait for nobody.
package_update: false
package_upgrade: false
`

// Render writes the user-data. An error names each field that is wrong; it never shows the private key.
func Render(s Settings) (string, error) {
	private, public, err := hostKey(s.HostKeyPrivate, s.HostKeyPublic)
	errs := []error{err, checkUser(s.User)}
	if len(s.AdministratorKeys) == 0 {
		errs = append(errs, errors.New("AdministratorKeys: at least one key is required, or nobody could log in"))
	}
	var keys []string
	for i, text := range s.AdministratorKeys {
		key, err := administratorKey(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("AdministratorKeys[%d]: %w", i, err))
		}
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	text := fmt.Sprintf(config, indented("    ", private), public, s.User, listed("      - ", keys))
	if len(text) > MaxBytes {
		return "", fmt.Errorf("AdministratorKeys: with %d keys the user-data has %d bytes, EC2 takes %d: "+
			"name fewer keys, or shorter ones (ed25519)", len(keys), len(text), MaxBytes)
	}
	return text, nil
}

// userForm is what Debian's useradd takes, without the capital letters and dots that it warns of.
var userForm = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

// yamlWords are names that YAML would not read as text.
var yamlWords = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

func checkUser(user string) error {
	switch {
	case user == "root":
		return errors.New(`User: "root" does not log in: name another user, such as "admin"`)
	case !userForm.MatchString(user) || slices.Contains(yamlWords, user):
		return fmt.Errorf("User: %q: wanted a user name of up to 32 small letters, digits, _ and -", user)
	}
	return nil
}

// hostKey checks that both halves are of one key, and gives them without anything that came along with them.
func hostKey(private, public string) (pemText, line string, err error) {
	line, publicKey, errPublic := publicHalf(public)
	block, errPrivate := privateHalf(private)
	if err := errors.Join(errPrivate, errPublic); err != nil {
		return "", "", err
	}
	// The parsers' own errors are not shown: they might quote what they read.
	raw, err := ssh.ParseRawPrivateKey(pem.EncodeToMemory(block))
	if err != nil {
		return "", "", errors.New("HostKeyPrivate: cannot be read: wanted a key without passphrase in OpenSSH's format")
	}
	key, ok := raw.(*ed25519.PrivateKey)
	if !ok {
		return "", "", errors.New("HostKeyPrivate: is no ed25519 key")
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return "", "", errors.New("HostKeyPrivate: cannot sign")
	}
	if !bytes.Equal(signer.PublicKey().Marshal(), publicKey.Marshal()) {
		return "", "", errors.New("HostKeyPublic: is not the public half of HostKeyPrivate")
	}
	return string(pem.EncodeToMemory(block)), line, nil
}

func privateHalf(text string) (*pem.Block, error) {
	block, rest := pem.Decode([]byte(text))
	const wanted = "OPENSSH PRIVATE KEY"
	if block == nil || block.Type != wanted || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("HostKeyPrivate: wanted one PEM block %q", wanted)
	}
	return block, nil
}

func publicHalf(text string) (string, ssh.PublicKey, error) {
	line, key, err := publicKey(text)
	if err == nil && key.Type() != ssh.KeyAlgoED25519 {
		err = fmt.Errorf("is of type %s: wanted %s", key.Type(), ssh.KeyAlgoED25519)
	}
	if err != nil {
		return "", nil, fmt.Errorf("HostKeyPublic: %w", err)
	}
	return line, key, nil
}

// userKeyTypes are what Debian 12's sshd lets in by default. Certificates are not: a line of authorized_keys holds a key.
var userKeyTypes = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSA,
	ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256,
}

func administratorKey(text string) (string, error) {
	line, key, err := publicKey(text)
	if err != nil {
		return "", err
	}
	if !slices.Contains(userKeyTypes, key.Type()) {
		return "", fmt.Errorf("is of type %s: wanted one of %s", key.Type(), strings.Join(userKeyTypes, ", "))
	}
	return line, nil
}

// publicKey reads one line of a public key and gives it as type and base64 alone. The comment is left out: it means nothing to sshd, and
// could hold anything.
func publicKey(text string) (string, ssh.PublicKey, error) {
	text = strings.TrimSpace(text)
	if strings.ContainsAny(text, "\r\n") {
		return "", nil, errors.New("holds several lines: wanted one public key")
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return "", nil, errors.New(`is no public key: wanted a line like "ssh-ed25519 AAAA…"`)
	}
	if len(options) > 0 {
		return "", nil, errors.New("holds options before the key, which would be lost: wanted the key alone")
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), key, nil
}

func indented(margin, text string) string {
	return margin + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+margin) + "\n"
}

func listed(mark string, words []string) string {
	return mark + strings.Join(words, "\n"+mark) + "\n"
}
