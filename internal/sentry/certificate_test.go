package sentry

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

var pairNow = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func ecKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// issue signs a certificate for a key; parent nil: with itself.
func issue(tb testing.TB, subject string, public crypto.PublicKey, parent *x509.Certificate, by crypto.Signer,
	change func(*x509.Certificate),
) *x509.Certificate {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: subject},
		NotBefore: pairNow.Add(-time.Hour), NotAfter: pairNow.Add(60 * 24 * time.Hour),
	}
	if change != nil {
		change(template)
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func certPEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func keyPEM(tb testing.TB, key any) string {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

func forAPI(c *x509.Certificate) {
	c.DNSNames, c.ExtKeyUsage = []string{"api.example.org"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}

func TestAnOwnCertificateIsRefusedWithEveryReason(t *testing.T) {
	rootKey, middleKey, key := ecKey(t), ecKey(t), ecKey(t)
	root := issue(t, "root", rootKey.Public(), nil, rootKey, authority)
	middle := issue(t, "middle", middleKey.Public(), root, rootKey, authority)
	leaf := issue(t, "leaf", key.Public(), middle, middleKey, forAPI)
	old := issue(t, "leaf", key.Public(), middle, middleKey, func(c *x509.Certificate) {
		forAPI(c)
		c.NotAfter = pairNow.Add(-time.Minute)
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
	early := issue(t, "leaf", key.Public(), middle, middleKey, func(c *x509.Certificate) {
		forAPI(c)
		c.NotBefore = pairNow.Add(time.Minute)
	})
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weakLeaf := issue(t, "leaf", weak.Public(), middle, middleKey, forAPI)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edLeaf := issue(t, "leaf", edKey.Public(), middle, middleKey, forAPI)
	good := certPEM(leaf) + certPEM(middle)
	block := func(kind string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("secret")}))
	}
	for name, c := range map[string]struct {
		pair string
		want []string
	}{
		"good":             {good + keyPEM(t, key), nil},
		"key first":        {keyPEM(t, key) + good, nil},
		"with its root":    {good + certPEM(root) + keyPEM(t, key), nil},
		"nothing":          {"", []string{"certificate: there is none", "there are 0 private keys"}},
		"no key":           {good, []string{"there are 0 private keys"}},
		"two keys":         {good + keyPEM(t, key) + keyPEM(t, key), []string{"there are 2 private keys"}},
		"another's key":    {good + keyPEM(t, rootKey), []string{"key: is not the certificate's"}},
		"wrong order":      {certPEM(middle) + certPEM(leaf) + keyPEM(t, key), []string{"that of certificate 2", "did not sign", "not for api"}},
		"gap in the chain": {certPEM(leaf) + certPEM(root) + keyPEM(t, key), []string{"certificate 2 of the chain: did not sign"}},
		"old, for clients": {certPEM(old) + certPEM(middle) + keyPEM(t, key), []string{"has expired at 2026-11-01T11:59:00Z", "not for servers"}},
		"early":            {certPEM(early) + certPEM(middle) + keyPEM(t, key), []string{"is valid from 2026-11-01T12:01:00Z"}},
		"weak key":         {certPEM(weakLeaf) + keyPEM(t, weak), []string{"RSA with 1024 bits"}},
		"odd key":          {certPEM(edLeaf) + keyPEM(t, edKey), []string{"wanted RSA or ECDSA"}},
		"encrypted key":    {good + block("ENCRYPTED PRIVATE KEY"), []string{"is encrypted"}},
		"other things":     {good + keyPEM(t, key) + block("DH PARAMETERS"), []string{`"DH PARAMETERS" is neither`}},
		"not a key":        {good + block("PRIVATE KEY"), []string{`can't be read as a "PRIVATE KEY"`}},
		"not one":          {block("CERTIFICATE") + keyPEM(t, key), []string{"certificate: can't be read"}},
	} {
		err := CheckPair([]byte(c.pair), []string{"api.example.org"}, pairNow)
		if len(c.want) == 0 && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; wanted %q", name, err, want)
			}
		}
		if err != nil && len(strings.Split(err.Error(), "\n")) != len(c.want) {
			t.Errorf("%s: other problems than %q: %v", name, c.want, err)
		}
	}
	err = CheckPair([]byte(good+keyPEM(t, key)), []string{"api.example.org", "www.example.org", "api2.example.org"}, pairNow)
	if err == nil || strings.Contains(err.Error(), "for api.example.org;") || strings.Count(err.Error(), "is not for") != 2 {
		t.Errorf("two of three names are missing: %v", err)
	}
	if end, err := PairExpires([]byte(good)); err != nil || !end.Equal(leaf.NotAfter) {
		t.Errorf("it ends at %s, %v", end, err)
	}
}

func FuzzNoErrorOfAPairHoldsItsKey(f *testing.F) {
	key := ecKey(f)
	leaf := issue(f, "leaf", key.Public(), nil, key, forAPI)
	f.Add([]byte(certPEM(leaf)+keyPEM(f, key)), []byte{})
	f.Add([]byte(certPEM(leaf)), []byte("-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END RSA PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----\n"), []byte("x"))
	f.Fuzz(func(t *testing.T, chain, keyBytes []byte) {
		block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyBytes})
		err := CheckPair(slices.Concat(chain, block), []string{"api.example.org"}, pairNow)
		if err == nil || len(keyBytes) < 12 || bytes.Contains(chain, keyBytes) {
			return
		}
		for _, form := range []string{string(keyBytes), base64.StdEncoding.EncodeToString(keyBytes)} {
			if strings.Contains(err.Error(), form) {
				t.Fatalf("the error holds the key: %v", err)
			}
		}
	})
}
