package aws

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/crypto/ssh"

	"github.com/insight-icon/pulumi-icon/internal/cloudinit"
)

// user is the login user of Debian's images, who may become root without a password.
const user = "admin"

// checkedLogin are the private key of the deploy and the administrators' public keys, once the one is known to open what the others
// close. Machines and connections wait for both, so that a mismatch is found before any machine is made. Without a private key an agent
// logs in, and nothing can be checked.
func (b *builder) checkedLogin() (pulumi.StringPtrInput, pulumi.StringArrayOutput) {
	keys := b.settings.AdministratorKeys
	if b.args.PrivateKey == nil {
		return nil, pulumi.ToStringArray(keys).ToStringArrayOutput()
	}
	passphrase := b.args.Passphrase
	if passphrase == nil {
		passphrase = pulumi.StringPtr("")
	}
	where := b.args.Where
	checked := pulumi.All(b.args.PrivateKey.ToStringPtrOutput(), passphrase.ToStringPtrOutput()).ApplyT(func(in []any) (string, error) {
		private, pass := orEmpty(in[0].(*string)), orEmpty(in[1].(*string))
		return private, checkKey(private, pass, keys, where)
	}).(pulumi.StringOutput)
	admitted := checked.ApplyT(func(string) []string { return keys }).(pulumi.StringArrayOutput)
	// The public keys are no secret, although they wait for one.
	return checked.ToStringPtrOutput(), pulumi.UnsecretWithContext(b.ctx.Context(), admitted).(pulumi.StringArrayOutput)
}

// checkKey refuses a private key that no machine would let in. It never shows the key.
func checkKey(private, passphrase string, keys []string, where string) error {
	var signer ssh.Signer
	var err error
	if passphrase != "" {
		signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(private), []byte(passphrase))
	} else {
		signer, err = ssh.ParsePrivateKey([]byte(private))
	}
	var missing *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &missing):
		return errors.New("icon:sshPrivateKey is protected by a passphrase: set icon:sshPrivateKeyPassphrase")
	case err != nil && passphrase != "":
		return errors.New("icon:sshPrivateKey does not open with icon:sshPrivateKeyPassphrase, or is no SSH private key")
	case err != nil:
		return errors.New("icon:sshPrivateKey is no SSH private key (want the text of a file like id_ed25519)")
	}
	for _, k := range keys {
		public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(k))
		if err == nil && bytes.Equal(public.Marshal(), signer.PublicKey().Marshal()) {
			return nil
		}
	}
	return fmt.Errorf("icon:sshPrivateKey is not the private half of any of %s.administratorKeys: no new machine would let it in. "+
		"Add its public half, %s", where, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))))
}

// userData is what a machine is told at its first boot: its host key, and whom to let in. A secret.
func (b *builder) userData(host string, key *tls.PrivateKey) pulumi.StringOutput {
	text := pulumi.All(key.PrivateKeyOpenssh, key.PublicKeyOpenssh, b.admitted).ApplyT(func(in []any) (string, error) {
		text, err := cloudinit.Render(cloudinit.Settings{
			HostKeyPrivate: in[0].(string), HostKeyPublic: in[1].(string), User: user, AdministratorKeys: in[2].([]string),
		})
		if err != nil {
			return "", fmt.Errorf("user-data of host %s: %w", host, err)
		}
		return text, nil
	})
	return pulumi.ToSecret(text).(pulumi.StringOutput)
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
