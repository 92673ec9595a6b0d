"""Files of any kind: decoded, mapped, indexed, screened."""
