// The web console's login.

/// `url` is the node's, or that of a proxy before it.
export async function logIn(page, url, key) {
  await page.goto(`${url}/`);
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Log in' }).click();
}
