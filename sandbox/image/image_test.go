package image_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/insight-icon/pulumi-icon/sandbox/image"
)

func archive(t *testing.T, version string) (*image.Image, []byte) {
	t.Helper()
	goloop := filepath.Join(t.TempDir(), "goloop")
	if err := os.WriteFile(goloop, []byte("in goloop's place"), 0o755); err != nil {
		t.Fatal(err)
	}
	img, err := image.Make(t.Context(), t.TempDir(), goloop, version)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(img.Archive)
	if err != nil {
		t.Fatal(err)
	}
	return img, content
}

func TestTheSameInputsGiveTheSameImageAndAnotherVersionAnother(t *testing.T) {
	one, first := archive(t, "1")
	same, again := archive(t, "1")
	other, _ := archive(t, "2")
	if !bytes.Equal(first, again) || one.Reference != same.Reference {
		t.Errorf("the same inputs gave %s and %s", one.Reference, same.Reference)
	}
	if one.Reference == other.Reference {
		t.Errorf("two versions have one reference, %s", one.Reference)
	}
	if !regexp.MustCompile(`^localhost/icon2-node-stand-in@sha256:[0-9a-f]{64}$`).MatchString(one.Reference) {
		t.Errorf("%s is no reference that pins an image", one.Reference)
	}
}

func TestEachBlobIsNamedByItsDigestAndTheReferenceIsTheManifests(t *testing.T) {
	img, content := archive(t, "1")
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(content)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	type descriptor struct {
		Digest string
		Size   int
	}
	var index struct{ Manifests []descriptor }
	if err := json.Unmarshal(files["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	blob := func(d descriptor) []byte {
		b := files["blobs/sha256/"+d.Digest[len("sha256:"):]]
		if len(b) != d.Size || image.DigestOf(b) != d.Digest {
			t.Errorf("the blob %s has %d bytes and the digest %s, wanted %d bytes", d.Digest, len(b), image.DigestOf(b), d.Size)
		}
		return b
	}
	if image.Name+"@"+index.Manifests[0].Digest != img.Reference {
		t.Errorf("the index names %s, the reference is %s", index.Manifests[0].Digest, img.Reference)
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	if err := json.Unmarshal(blob(index.Manifests[0]), &manifest); err != nil {
		t.Fatal(err)
	}
	blob(manifest.Config)
	if len(manifest.Layers) != 1 {
		t.Fatalf("the image has %d layers, wanted 1", len(manifest.Layers))
	}
	blob(manifest.Layers[0])
}
