"""The paper's contribution: objectives, the knowledge of sounds, one recogniser."""
