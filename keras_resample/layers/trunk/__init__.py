"""A network for many resolutions: branches that enter the trunk where their maps fit."""
