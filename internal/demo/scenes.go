package main

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// The names of the two files that the weights are in.
const (
	first  = "model-00001-of-00002.safetensors"
	second = "model-00002-of-00002.safetensors"
)

// The address that everybody pushes to and clones from. It stands for a bare repository in the play's folder.
const (
	host       = "https://models.example/"
	repository = host + "org/model"
)

// serve makes the bare repository, and has git and git-lfs go there instead of to the address.
func serve(p *play, _ int) {
	bare := filepath.Join(p.dir, "host", "org", "model")
	p.turn(p.maintainer, "There is no network here: "+host+" stands for a folder.")
	p.run("git", "init", "--quiet", "--bare", "--initial-branch=main", bare)
	p.run("git", "config", "--system", "url.file://"+filepath.ToSlash(filepath.Join(p.dir, "host"))+"/.insteadOf", host)
}

// sign is the maintainer's part: a model with large weights is committed, signed and pushed.
func sign(p *play, size int) {
	p.turn(p.maintainer, "A maintainer has a model whose weights go through Git LFS.")
	p.run("git", "version")
	p.run("git", "lfs", "version")
	p.run("git", "lfs", "install")
	p.run("git", "clone", "--quiet", repository, "model")
	p.cd("model")
	p.run("git", "lfs", "track", "*.safetensors")
	p.write("config.json", []byte("{\"architectures\": [\"BertModel\"], \"hidden_size\": 1024}\n"))
	p.write("tokenizer/vocab.txt", []byte("[PAD] [UNK] hello\n"))
	p.write(first, safetensors(size, 1))
	p.write(second, safetensors(size, 2))
	p.run("git", "add", ".")
	p.run("git", "commit", "--quiet", "-m", "Add the model")

	p.tell("Once, the maintainer makes a key. The passphrase would be asked for; here it stands in the environment.")
	p.run("MODELSIGN_PASSPHRASE=demo", "git", "model-sign", "keygen", "../maintainer.key")
	p.tell("Signing takes one command. It commits model.sig, and pushing is as ever.")
	p.run("MODELSIGN_PASSPHRASE=demo", "git", "model-sign", "--private-key", "../maintainer.key")
	p.run("git", "show", "--stat", "HEAD")
	p.expect("Sign model: 4 files", "model.sig")
	p.run("git", "push", "--quiet")
}

// clone is the user's part: hooks and trust are set up once, and every clone then says who signed it.
func clone(p *play, _ int) {
	p.turn(p.user, "A user installs the hooks once, and tells git whom to trust.")
	p.run("git", "lfs", "install")
	p.run("git", "model-sign", "install", "--global")
	p.run("git", "clone", "--quiet", repository, "not-yet")
	p.expect("not checked", "git config --global modelsign."+host)
	p.run("git", "config", "--global", "modelsign."+host+".publicKey", filepath.Join(p.maintainer.Dir, "maintainer.pub"))

	p.tell("From then on, git says at the end of a clone who signed the model, and that every byte is as signed.")
	p.run("git", "clone", repository, "model")
	p.expect("verified", "4 files")
}

// tamper changes a configuration file and pushes that.
func tamper(p *play, _ int) {
	p.turn(p.maintainer, "Somebody with the maintainer's password changes a configuration file.")
	p.cd("model")
	p.write("config.json", []byte("{\"auto_map\": {\"AutoModel\": \"backdoor.Model\"}}\n"))
	p.run("git", "commit", "--quiet", "-am", "Tune the configuration")
	p.run("git", "push", "--quiet")

	p.turn(p.user, "The clone fails, and names the file.")
	p.exits(1, "git", "clone", repository, "tampered")
	p.expect("config.json")
	p.expectNot("verified")
}

// swap replaces weights: another LFS object, and the pointer to it.
func swap(p *play, size int) {
	p.turn(p.maintainer, "The configuration is put back. Now the weights are swapped, in LFS and in git.")
	p.cd("model")
	p.run("git", "revert", "--no-edit", "HEAD")
	p.write(second, safetensors(size, 3))
	p.run("git", "commit", "--quiet", "-am", "Better weights")
	p.run("git", "push", "--quiet")

	p.turn(p.user, "git-lfs finds nothing wrong with them: they are what the pointer says. The signature tells.")
	p.exits(1, "git", "clone", repository, "swapped")
	p.expect(second)
	p.expectNot("verified")

	p.turn(p.maintainer, "The signed weights are put back.")
	p.cd("model")
	p.run("git", "revert", "--no-edit", "HEAD")
	p.run("git", "push", "--quiet")
}

// rot alters one byte in the local LFS store, which git and git-lfs believe.
func rot(p *play, _ int) {
	p.turn(p.user, "One byte of the weights rots in the clone's LFS store. git and git-lfs check it out without a word, as the size is right.")
	p.cd("model")
	if p.err == nil {
		p.err = rotStore(filepath.Join(p.folder, ".git", "lfs", "objects"))
	}
	p.remove(first)
	p.run("git", "checkout", "--quiet", "--", first)
	p.exits(1, "git", "model-sign", "verify")
	p.expect(first)
}

// promise clones without downloading.
func promise(p *play, _ int) {
	p.turn(p.user, "Without downloading the weights, their pointers are held against the signature; it says that nobody read the bytes.")
	p.run("GIT_LFS_SKIP_SMUDGE=1", "git", "clone", repository, "pointers")
	p.expect("verified", "2 promised")
	p.cd("pointers")
	p.run("git", "lfs", "pull")
	p.run("git", "model-sign", "verify", "--require-read")
	p.expect("verified", "4 read")
}

// safetensors is a file in that format of half of size MiB, with one tensor of random numbers that a seed decides.
func safetensors(size int, seed byte) []byte {
	data := size << 20 / 2
	header := fmt.Sprintf(`{"weight":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}`, data/4, data)
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+len(header)+data), uint64(len(header)))
	b = append(b, header...)
	rand.NewChaCha8([32]byte{seed}).Read(b[len(b) : len(b)+data])
	return b[:len(b)+data]
}

// rotStore alters a byte in the middle of every object of an LFS store. The host's own copies may be the same files by another
// name, so each is written anew.
func rotStore(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		b[len(b)/2] ^= 1
		return os.WriteFile(path, b, 0o444)
	})
}
