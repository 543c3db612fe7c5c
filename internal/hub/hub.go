// Package hub is the Hugging Face Hub: what its users call a repository, its API,
// and how its clients keep what they downloaded. It follows huggingface_hub 1.x.
//
// The Hub's answers are foreign. They are bounded, taken only in the form in which
// the Hub gives them, and vouch for nothing: what a listing says of a file is a
// promise, and bytes that were fetched are to be hashed by whoever reads them.
// The token goes to the endpoint and nowhere else, and into no text.
//
// It may not believe, compare or write files.
package hub
