package remote

import (
	"os"
	"path/filepath"
	"testing"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/archive"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func textAsset(t *testing.T, content string) property.Value {
	t.Helper()
	a, err := asset.FromText(content)
	mustDo(t, err)
	return property.New(a)
}

func fileAsset(t *testing.T, path string) property.Value {
	t.Helper()
	a, err := asset.FromPath(path)
	mustDo(t, err)
	return property.New(a)
}

func pathArchive(t *testing.T, path string) property.Value {
	t.Helper()
	a, err := archive.FromPath(path)
	mustDo(t, err)
	return property.New(a)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	mustDo(t, os.MkdirAll(filepath.Dir(path), 0o700))
	mustDo(t, os.WriteFile(path, []byte(content), 0o600))
}

func (s *sshServer) copyInputs(source property.Value, target string) values {
	return values{
		"connection": s.connectionValue(), "source": source,
		"remotePath": text(filepath.Join(s.dir, target)),
	}
}

func TestTextIsCopiedAgainOnlyIfItOrThePathChanges(t *testing.T) {
	server := startServer(t)
	l := newLife(t, copyType)
	mustDo(t, l.create(server.copyInputs(textAsset(t, "one"), "made/parents/file")))
	server.mustHold("made/parents/file", "one")
	if len(l.id) != 8 {
		t.Errorf("the id is %q", l.id)
	}

	writeFile(t, filepath.Join(server.dir, "made/parents/file"), "changed on the host")
	inputs := server.copyInputs(textAsset(t, "one"), "made/parents/file")
	connection := inputs["connection"].AsMap().Set("dialErrorLimit", property.New(2.0))
	inputs["connection"] = property.New(connection)
	mustDo(t, l.update(inputs))
	server.mustHold("made/parents/file", "changed on the host")
	if _, total, _ := server.counts(); total != 1 {
		t.Errorf("%d logins, expected 1", total)
	}

	mustDo(t, l.update(server.copyInputs(textAsset(t, "two"), "made/parents/file")))
	server.mustHold("made/parents/file", "two")
	mustDo(t, l.update(server.copyInputs(textAsset(t, "two"), "other")))
	server.mustHold("other", "two")
	mustDo(t, l.delete())
	server.mustHold("other", "two") // a copy is not removed
	server.mustHold("made/parents/file", "two")
	mustBeClosed(t, server)
}

func TestShorterTextLeavesNothingOfTheLonger(t *testing.T) {
	server := startServer(t)
	l := newLife(t, copyType)
	mustDo(t, l.create(server.copyInputs(textAsset(t, "a long text"), "file")))
	mustDo(t, l.update(server.copyInputs(textAsset(t, ""), "file")))
	server.mustHold("file", "")
}

func TestFileIsCopiedOntoAPathOrIntoADirectory(t *testing.T) {
	server := startServer(t)
	source := filepath.Join(t.TempDir(), "name")
	writeFile(t, source, "one")
	l := newLife(t, copyType)
	mustDo(t, l.create(server.copyInputs(fileAsset(t, source), "sub/file")))
	server.mustHold("sub/file", "one")

	writeFile(t, source, "two")
	mustDo(t, l.update(server.copyInputs(fileAsset(t, source), "sub/file")))
	server.mustHold("sub/file", "two")
	mustDo(t, l.update(server.copyInputs(fileAsset(t, source), "sub")))
	server.mustHold("sub/name", "two")
}

func TestDirectoryIsCopiedAsItselfOrItsContent(t *testing.T) {
	server := startServer(t)
	source := filepath.Join(t.TempDir(), "dir")
	writeFile(t, filepath.Join(source, "a"), "A")
	writeFile(t, filepath.Join(source, "deep", "b"), "B")
	mustDo(t, newLife(t, copyType).create(server.copyInputs(pathArchive(t, source), "new")))
	server.mustHold("new/dir/a", "A")
	server.mustHold("new/dir/deep/b", "B")
	mustDo(t, newLife(t, copyType).create(server.copyInputs(pathArchive(t, source+"/"), "content")))
	server.mustHold("content/a", "A")

	l := newLife(t, copyType)
	mustDo(t, l.create(server.copyInputs(pathArchive(t, source), "new")))
	writeFile(t, filepath.Join(source, "deep", "c"), "C")
	mustDo(t, l.update(server.copyInputs(pathArchive(t, source), "new")))
	server.mustHold("new/dir/deep/c", "C")
}

func TestCopyThatCannotBeSaysWhatAndWhere(t *testing.T) {
	server := startServer(t)
	writeFile(t, filepath.Join(server.dir, "dir", "file"), "kept")
	source := filepath.Join(t.TempDir(), "source")
	writeFile(t, filepath.Join(source, "x"), "x")
	for _, c := range []struct {
		source property.Value
		target string
		texts  []string
	}{
		{textAsset(t, "x"), "dir", []string{"is a directory", "StringAsset"}},
		{pathArchive(t, source), "dir/file", []string{"is a file", source}},
		{textAsset(t, "x"), "dir/file/below", []string{"dir/file"}},
	} {
		err := newLife(t, copyType).create(server.copyInputs(c.source, c.target))
		mustSay(t, err, append(c.texts, "copy to root@127.0.0.1:", c.target)...)
		mustNotLeak(t, err, server.connection())
	}
	server.mustHold("dir/file", "kept")
	mustBeClosed(t, server)
}

func TestCopyIsReplacedByTriggersAloneAndPreviewCopiesNothing(t *testing.T) {
	server := startServer(t)
	inputs := server.copyInputs(textAsset(t, "one"), "file")
	l := newLife(t, copyType)
	_, err := l.engine.Create(p.CreateRequest{Urn: l.urn, Properties: l.check(inputs), DryRun: true})
	mustDo(t, err)
	if _, total, _ := server.counts(); total != 0 {
		t.Error("a preview has logged in")
	}
	mustDo(t, l.create(inputs))
	_, err = l.engine.Update(p.UpdateRequest{
		ID: l.id, Urn: l.urn, State: l.state, OldInputs: l.inputs, DryRun: true,
		Inputs: l.check(server.copyInputs(textAsset(t, "two"), "file")),
	})
	mustDo(t, err)
	server.mustHold("file", "one")
	triggers := values{"triggers": property.New(property.NewArray([]property.Value{text("t")}))}
	if diff := l.diff(with(inputs, triggers)); diff["triggers"].Kind != p.AddReplace {
		t.Errorf("a change of triggers is %v, expected a replacement", diff)
	}
	for changed, diff := range l.diff(server.copyInputs(textAsset(t, "two"), "other")) {
		if diff.Kind != p.Update {
			t.Errorf("a change of %s is %s, expected an update", changed, diff.Kind)
		}
	}
}

func TestSourcesThatCannotBeCopiedAreRefusedByCheck(t *testing.T) {
	uri := &asset.Asset{Sig: asset.AssetSig, URI: "https://example.org/file"}
	assets, err := archive.FromAssets(map[string]any{"a": &asset.Asset{Text: "x"}})
	mustDo(t, err)
	server := startServer(t)
	for want, source := range map[string]property.Value{
		"is a remote asset: expected a FileAsset or a StringAsset":   property.New(uri),
		"is an archive without a local path: expected a FileArchive": property.New(assets),
	} {
		l := newLife(t, copyType)
		resp, err := l.engine.Check(p.CheckRequest{
			Urn: l.urn, Inputs: property.NewMap(server.copyInputs(source, "file")),
		})
		mustDo(t, err)
		if len(resp.Failures) != 1 || resp.Failures[0].Property != "source" || resp.Failures[0].Reason != want {
			t.Errorf("failures are %v, expected %q", resp.Failures, want)
		}
	}
}
