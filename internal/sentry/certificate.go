package sentry

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// PairWarning is how long before its end a certificate that nobody renews is worth a warning.
	PairWarning = 14 * 24 * time.Hour
	// pairLimit is the size of a chain and its key at most: far more than any has.
	pairLimit = 1 << 20
	// chainLimit is the number of certificates in a chain at most.
	chainLimit = 10
)

// CheckPair tells what is wrong with an operator's own certificate: PEM text with the certificate for all names, those that signed it in
// order, and its private key. Every problem is in the error; no error holds anything of the key.
func CheckPair(pair []byte, names []string, now time.Time) error {
	chain, key, problems := parsePair(pair)
	if len(chain) == 0 {
		return errors.Join(problems...)
	}
	leaf := chain[0]
	if key != nil {
		problems = append(problems, checkKey(leaf, chain[1:], key)...)
	}
	for _, name := range names {
		if leaf.VerifyHostname(name) != nil {
			problems = append(problems, fmt.Errorf("certificate: is not for %s; it is for %v", name, leaf.DNSNames))
		}
	}
	for i, c := range chain {
		if now.Before(c.NotBefore) {
			problems = append(problems, fmt.Errorf("%s: is valid from %s on only", place(i), c.NotBefore.UTC().Format(time.RFC3339)))
		}
		if now.After(c.NotAfter) {
			problems = append(problems, fmt.Errorf("%s: has expired at %s", place(i), c.NotAfter.UTC().Format(time.RFC3339)))
		}
	}
	usages := leaf.ExtKeyUsage
	if len(usages) > 0 && !slices.Contains(usages, x509.ExtKeyUsageServerAuth) && !slices.Contains(usages, x509.ExtKeyUsageAny) {
		problems = append(problems, errors.New("certificate: is not for servers; wanted the extended key usage serverAuth"))
	}
	return errors.Join(append(problems, checkChain(chain)...)...)
}

// PairExpires is when the certificate of a pair ends. The error is about a pair that CheckPair refuses, too.
func PairExpires(pair []byte) (time.Time, error) {
	chain, _, problems := parsePair(pair)
	if len(chain) == 0 {
		return time.Time{}, errors.Join(problems...)
	}
	return chain[0].NotAfter, nil
}

// place names a certificate of a chain for people.
func place(i int) string {
	if i == 0 {
		return "certificate"
	}
	return fmt.Sprintf("certificate %d of the chain", i+1)
}

// parsePair reads PEM text. The key is nil if there is none that can be read.
func parsePair(pair []byte) ([]*x509.Certificate, crypto.Signer, []error) {
	if len(pair) > pairLimit {
		return nil, nil, []error{fmt.Errorf("certificate: has more than %d KiB of text", pairLimit>>10)}
	}
	var chain []*x509.Certificate
	var key crypto.Signer
	var problems []error
	certificates, keys := 0, 0
	for block, rest := pem.Decode(pair); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			certificates++
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: can't be read: %w", place(certificates-1), err))
				continue
			}
			chain = append(chain, c)
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
			keys++
			var err error
			if key, err = parseKey(block); err != nil {
				problems = append(problems, fmt.Errorf("key: %w", err))
			}
		case "EC PARAMETERS":
			// OpenSSL writes it before such a key, which has it in itself.
		default:
			problems = append(problems, fmt.Errorf("certificate: %q is neither a certificate nor a private key", block.Type))
		}
	}
	if certificates == 0 {
		problems = append(problems, errors.New("certificate: there is none; wanted PEM text, the certificate first, then those that signed it"))
	}
	if certificates > chainLimit {
		problems = append(problems, fmt.Errorf("certificate: the chain has %d; wanted at most %d", certificates, chainLimit))
		chain = chain[:min(len(chain), chainLimit)]
	}
	if keys != 1 {
		problems = append(problems, fmt.Errorf("key: there are %d private keys; wanted one, in PEM text after the chain", keys))
		key = nil
	}
	return chain, key, problems
}

// parseKey reads a private key. Its errors are of its own words: a parser's might tell of the key.
func parseKey(block *pem.Block) (crypto.Signer, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
		return nil, errors.New("is encrypted; wanted it without a passphrase, for no person is there when the proxy starts")
	}
	var parsed any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("can't be read as a %q", block.Type)
	}
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		if bits := key.N.BitLen(); bits < 2048 || bits > 8192 {
			return nil, fmt.Errorf("is RSA with %d bits; wanted 2048 to 8192", bits)
		}
		return key, nil
	case *ecdsa.PrivateKey:
		if bits := key.Params().BitSize; bits != 256 && bits != 384 {
			return nil, fmt.Errorf("is ECDSA with %d bits, which browsers do not all take; wanted 256 or 384", bits)
		}
		return key, nil
	default:
		return nil, errors.New("is of a kind that browsers do not take; wanted RSA or ECDSA")
	}
}

func checkKey(leaf *x509.Certificate, others []*x509.Certificate, key crypto.Signer) []error {
	if samePublic(leaf.PublicKey, key) {
		return nil
	}
	for i, c := range others {
		if samePublic(c.PublicKey, key) {
			return []error{fmt.Errorf("key: is that of %s; wanted that certificate first", place(i+1))}
		}
	}
	return []error{errors.New("key: is not the certificate's; wanted the private key that the certificate was requested with")}
}

func samePublic(public any, key crypto.Signer) bool {
	p, ok := public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && p.Equal(key.Public())
}

func checkChain(chain []*x509.Certificate) []error {
	var problems []error
	for i, c := range chain {
		if a := c.SignatureAlgorithm; !bytes.Equal(c.RawIssuer, c.RawSubject) &&
			slices.Contains([]x509.SignatureAlgorithm{x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1}, a) {
			problems = append(problems, fmt.Errorf("%s: is signed with %s, which nobody trusts", place(i), a))
		}
		if i == 0 {
			continue
		}
		if err := chain[i-1].CheckSignatureFrom(c); err != nil {
			problems = append(problems, fmt.Errorf("%s: did not sign the one before it; wanted the chain in order, without what is not of it",
				place(i)))
		}
	}
	return problems
}
