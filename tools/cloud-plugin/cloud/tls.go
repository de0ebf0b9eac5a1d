package cloud

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"golang.org/x/crypto/ssh"
)

// TLS are the kinds of pulumi-tls.
func TLS() Kinds {
	return Kinds{
		resources: map[string]kind{"tls:index/privateKey:PrivateKey": {
			prefix: "key-", paper: true, required: []string{"algorithm"}, fixed: []string{"algorithm", "rsaBits", "ecdsaCurve"},
			computed: []string{"privateKeyOpenssh", "publicKeyOpenssh", "publicKeyFingerprintSha256"}, make: hostKeys(), check: ed25519Only,
		}},
		call: func(token string, _ resource.PropertyMap) (resource.PropertyMap, error) {
			return nil, fmt.Errorf("the stand-in for the provider tls does not know the function %s", token)
		},
	}
}

func ed25519Only(in map[string]any) error {
	if in["algorithm"] != "ED25519" {
		return fmt.Errorf("the stand-in makes keys of the kind ED25519 alone, not %v", in["algorithm"])
	}
	return nil
}

// hostKeys makes a key pair as its first output is asked for, and derives the others from it.
func hostKeys() func(*state, *Resource, string) (resource.PropertyValue, error) {
	return func(_ *state, r *Resource, key string) (resource.PropertyValue, error) {
		if r.Properties["made"] == nil {
			_, private, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return resource.PropertyValue{}, err
			}
			r.Properties["made"] = private
		}
		private, _ := r.Properties["made"].(ed25519.PrivateKey)
		public, err := ssh.NewPublicKey(private.Public())
		if err != nil {
			return resource.PropertyValue{}, err
		}
		switch key {
		case "privateKeyOpenssh":
			block, err := ssh.MarshalPrivateKey(private, "")
			if err != nil {
				return resource.PropertyValue{}, err
			}
			return resource.MakeSecret(resource.NewProperty(string(pem.EncodeToMemory(block)))), nil
		case "publicKeyOpenssh":
			return resource.NewProperty(string(ssh.MarshalAuthorizedKey(public))), nil
		default:
			return resource.NewProperty(hex.EncodeToString(public.Marshal()[:16])), nil
		}
	}
}
