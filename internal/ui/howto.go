package ui

import "strings"

// TrustHowTo tells how to say whom to believe, for the repositories of one URL
// where one is known.
func TrustHowTo(url string) string {
	key := "modelsign."
	if url != "" {
		key += url + "."
	}
	quote := func(name string) string { return ShellQuote(key + name) }
	return "with a key:      git config --global " + quote("publicKey") + " ~/keys/maintainer.pub\n" +
		"with Sigstore:   git config --global " + quote("identity") + " maintainer@example.com\n" +
		"                 git config --global " + quote("identityProvider") + " https://accounts.google.com\n" +
		"only this once:  git model-sign verify --public-key FILE, or --identity ID --identity-provider URL"
}

// TimestampHowTo tells how to say whose timestamps to believe.
func TimestampHowTo() string {
	return "--timestamp-certificate-chain FILE believes the timestamp authority whose certificates are in FILE, as does git config modelsign.timestampCertificateChain"
}

// RequireHowTo tells how to take a requirement back for the repositories of one URL.
func RequireHowTo(url string) string {
	if url == "" {
		return "modelsign.require is set; git config modelsign.require false takes it back for this repository"
	}
	return "modelsign.require is set; to take it back: git config --global " + ShellQuote("modelsign."+url+".require") + " false"
}

// coverHowTo tells how to have every file of a repository covered, or to do
// without that.
func coverHowTo(url string) string {
	return "a signature of the repository's top covers all of it: git model-sign sign\n" + RequireHowTo(url)
}

// ShellQuote writes a word of a command line that is to be pasted into a shell. A
// URL or a file name in it may be anybody's.
func ShellQuote(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/._-@+%,=") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// NobodyTrusted says that there are signatures in a repository, and nobody to believe.
func (t *Terminal) NobodyTrusted(signatures int, url string) {
	t.Note("%s in this repository, and nothing says whom to believe: not checked", Plural(signatures, "model signature"))
	t.Hint(TrustHowTo(url))
}

// UnmatchedRemote says that nothing configured for a URL can hold for a repository.
func (t *Terminal) UnmatchedRemote(address string) {
	t.Note("the remote's address %s is no URL that modelsign.<url>.<name> could be about: only what is configured in general holds", Quote(address))
}
