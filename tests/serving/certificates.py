"""Keys and certificates for tests, by the `openssl` command."""

import subprocess


def authority(folder):
    """A key and the certificate of an authority in `folder`: `ca.key`, `ca.pem`."""
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", folder / "ca.key", "-out", folder / "ca.pem", "-days", "2"),
        *("-subj", "/CN=authority", "-addext", "basicConstraints=critical,CA:TRUE"),
    )


def signed(folder, name, days=2):
    """A key and a certificate for 127.0.0.1 signed by the authority: `<name>.key`, `<name>.pem`.

    It holds for so many days; one of -1 has expired.
    """
    request = folder / f"{name}.csr"
    _openssl(
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", folder / f"{name}.key", "-out", request, "-subj", f"/CN={name}"),
        *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
    )
    _openssl(
        *("x509", "-req", "-in", request, "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"),
        *("-CAcreateserial", "-days", days, "-copy_extensions", "copy"),
        *("-out", folder / f"{name}.pem"),
    )


def encrypted(folder, name):
    """The key `<name>.key`, in PEM, behind a password."""
    found = folder / f"{name}-encrypted.key"
    _openssl("pkcs8", "-topk8", "-in", folder / f"{name}.key", "-out", found, "-passout", "pass:a")
    return found.read_text()


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
