// Shows the photo that was chosen, and makes a JPEG of one that is large or of a
// kind that the service does not take, such as AVIF, before it is sent. A photo
// that the browser cannot read is sent as it is.
const taken = ['image/jpeg', 'image/png', 'image/webp', 'image/gif'];
const longestSide = 768; // pixels, what pages show at most
const quality = 0.85;
const patience = 10000; // milliseconds until a form that is still here was stopped on its way
const form = document.querySelector('form.employee');
const input = form.elements.photo;
const frame = form.querySelector('.avatar');
const present = [...frame.childNodes];
const size = document.getElementById('photo-size');
let shrinking = null;
let sent = false;

function draw(picture, scale) {
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const pen = canvas.getContext('2d');
  pen.fillStyle = 'white'; // JPEG has no transparency
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}

async function shrink(file) {
  const picture = await createImageBitmap(file);
  if (input.files[0] !== file) return; // another was chosen meanwhile
  const scale = Math.min(1, longestSide / Math.max(picture.width, picture.height));
  const canvas = draw(picture, scale);
  const before = `${picture.width} × ${picture.height}`;
  picture.close();
  frame.replaceChildren(...present, canvas);
  size.textContent = `${before} pixels`;
  const needed = !taken.includes(file.type);
  if (scale === 1 && !needed) return;
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', quality));
  if (!blob || (blob.size >= file.size && !needed) || input.files[0] !== file) return;
  const smaller = new DataTransfer();
  smaller.items.add(new File([blob], 'photo.jpg', { type: 'image/jpeg' }));
  input.files = smaller.files;
  size.textContent = `${before} pixels, sent as ${canvas.width} × ${canvas.height} in ${Math.ceil(blob.size / 1000)} kB`;
}

input.accept = 'image/*';
input.addEventListener('change', () => {
  frame.replaceChildren(...present);
  size.textContent = '';
  if (!input.files[0]) return;
  const work = shrink(input.files[0]).catch(() => {}).finally(() => {
    if (shrinking === work) shrinking = null;
  });
  shrinking = work;
});

form.addEventListener('submit', (event) => {
  if (sent) { // a second press of the button
    event.preventDefault();
  } else if (shrinking) {
    event.preventDefault();
    shrinking.then(() => form.requestSubmit(event.submitter));
  } else {
    sent = true;
    setTimeout(() => { sent = false; }, patience);
  }
});
addEventListener('pageshow', () => { sent = false; });

// Where someone else changed the employee: take over what is stored.
for (const button of form.querySelectorAll('[data-field]')) {
  button.hidden = false;
  button.addEventListener('click', () => {
    const { field, value } = button.dataset;
    if (field === 'badges') {
      for (const box of form.elements.badges) box.checked = value.split(' ').includes(box.value);
    } else {
      form.elements[field].value = value;
    }
    button.setAttribute('aria-pressed', 'true');
  });
}
